//! Why a figure is missed, as far as it is known; what was not taken apart says so. Said of those that
//! are missed, and of no others.

/// Why `figure`, compared with `who`, is not better.
pub(super) fn why(figure: &str, who: &str) -> Option<&'static str> {
    WHY.iter()
        .find(|(what, with, _)| figure.contains(what) && who.starts_with(with))
        .map(|(_, _, why)| *why)
}

const WHY: &[(&str, &str, &str)] = &[
    (
        "cached header, 1 task",
        "floor",
        "`perf annotate`: more than a third is the reading of the clock, as in the floor. The rest is \
        what the floor lacks: the clock behind a trait, so that a test can move it; two comparisons; the guard of the \
        `ArcSwap`; and the `Result`, out of which the header is moved. A `HeaderValue` has a flag \
        behind its bytes, and a move of it waits until the clone before it is written.",
    ),
    (
        "cached header, 1 task",
        "",
        "A quarter of that peer's time leaves little beyond the floor, which does nothing but read the \
        clock and clone a header.",
    ),
    (
        "keyed get, 1,000,000 owners",
        "by hand",
        "Not taken apart. It is waiting for memory: the slot of the map, the owner's record, the token. \
        By hand the owner is in the map's entry; here it is in a record with all of the owner's \
        token sets, which is what keeps a million of them small.",
    ),
    (
        "authorized requests",
        "plain",
        "Not taken apart. `oauth-core handle header, reqwest` is the same without reqwest-middleware and \
        without the copy of the request that is sent again when the API calls the token dead: the two \
        together are the difference between these rows.",
    ),
    (
        "token exchange",
        "raw",
        "Not taken apart. A part is the time limit, which raw reqwest has in the second row. What else raw \
        reqwest does not do: a limit for the body, errors that can be told apart, and texts that are \
        wiped when they are dropped.",
    ),
    (
        "token endpoint, server CPU",
        "plain",
        "Not taken apart. What the bare handler does not do: random bytes of the kernel for each token, \
        hashes of token and secret, a count of failures by source, and an entry in a map that grows \
        all the time.",
    ),
    (
        "PostgreSQL: 100",
        "among",
        "Not taken apart. The hundred rows lie on as many pages, and those of a million rows do not fit into \
        the server's `shared_buffers`, 128 MB unless set; a page that is changed for the first time \
        after a checkpoint is also written to the log as a whole.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_by_the_figure_and_whom_it_is_compared_with() {
        let floor = why("cached header, 1 task", "floor: clock read");
        let peer = why("cached header, 1 task", "fast peer");
        assert!(floor.is_some() && peer.is_some() && floor != peer);
        assert_eq!(why("memory", "floor"), None);
    }
}
