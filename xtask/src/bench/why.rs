//! Why a figure is missed, as profiles (`perf record`, `perf annotate`) show it. Said of those that
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
        "Half of it is the reading of the clock, as in the floor. The rest is what the floor lacks: \
        the clock behind a trait, so that a test can move it; two comparisons; the guard of the \
        `ArcSwap`; and the `Result`, out of which the header is moved. A `HeaderValue` has a flag \
        behind its bytes, and a move of it waits until the clone before it is written.",
    ),
    (
        "cached header, 1 task",
        "",
        "The clock alone takes a good part of that, and the floor, which does nothing else but clone \
        a header, is hardly faster.",
    ),
    (
        "keyed get, 1,000,000 owners",
        "by hand",
        "Nearly all of it is waiting for memory: the slot of the map, the owner's record, the token. \
        By hand the owner is in the map's entry; here it is in a record with all of the owner's \
        token sets, which is what keeps a million of them small.",
    ),
    (
        "authorized requests",
        "plain",
        "`oauth-core handle header, reqwest` is the same without reqwest-middleware, whose stack and \
        two boxed futures for each request are most of the difference. The rest is the copy of the \
        request that is sent again when the API calls the token dead.",
    ),
    (
        "token exchange",
        "raw",
        "A part of it is the time limit, which raw reqwest has in the second row. The rest is what \
        raw reqwest does not do: a limit for the body, one for the whole, errors that can be told \
        apart, and texts that are wiped when they are dropped.",
    ),
    (
        "token endpoint, server CPU",
        "plain",
        "Most of the difference is the kernel's random bytes, drawn for each token, the hashes of \
        token and secret, and an entry in a map that grows all the time: as much again as the \
        handler by hand, which stores its tokens in clear and checks no secret.",
    ),
    (
        "PostgreSQL: 100",
        "among",
        "The hundred rows lie on as many pages, and those of a million rows do not fit into the \
        server's `shared_buffers`, 128 MB unless set: each is read anew. A page that is changed for \
        the first time after a checkpoint is also written to the log as a whole. The plan is the \
        same, and so is the number of rows it reads: those of the index that are asked for.",
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
