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
        "The clock and the clone are the floor's, too. What it lacks: four comparisons, the guard of the \
        `ArcSwap`, which is most of what \"by hand\" takes longer, and the moves of a header in a `Result` \
        in a `Poll`.",
    ),
    (
        "cached header, 1 task",
        "google-cloud-auth headers, entity tag",
        "That peer is asked in the fastest way it offers: its caller keeps the header, and hears that it is \
        still good. A quarter of its time leaves little beyond the floor, which does nothing but read the \
        clock and clone a header.",
    ),
    (
        "keyed get, 1,000,000 owners",
        "by hand",
        "Not taken apart; most likely waiting for memory: the slot of the map, the owner's record, the token. \
        By hand the owner is in the map's entry; here it is in a record with all of the owner's \
        token sets, which is what keeps a million of them small.",
    ),
    (
        "stampede, until all are served",
        "",
        "`perf record`, of the threads that serve the callers: tokio has three tenths (waking, polling and \
        joining 10,000 tasks, which every peer needs as well), the kernel nearly as much, all of this \
        project's functions a tenth; allocating, the clock and the benchmark itself have the rest.",
    ),
    (
        "authorized requests",
        "plain",
        "`reqwest-middleware, header clone` attaches a header and does nothing else: the boxes and the \
        request builder of reqwest-middleware are half of what is missing. Counted by callgrind, its \
        requests take 5 % more instructions than plain ones; ours take 4 % more than those, for the copy \
        of the request that is sent again when the API calls the token dead.",
    ),
    (
        "token exchange",
        "raw",
        "Counted by callgrind, an exchange takes 1 % more instructions than a raw one, and 1 % fewer than \
        a raw one with a time limit. Sampled by `perf record`, the time is nowhere in particular: the \
        future of the exchange, that of the transport and the reader of the answer have less than a \
        hundredth of it each, and nothing else that is added has more. Two raw ones take part, and the \
        faster one of a run counts.",
    ),
    (
        "token endpoint, server CPU",
        "plain",
        "`perf record` of both servers: of what the endpoint takes more, a seventh is waking wrk, which \
        sleeps between the answers of a slower server and hardly ever between the bare handler's. A tenth is \
        the call of the kernel for random bytes, another the storing of the token, a twentieth the hashes of \
        token and secret. The rest is spread: some two dozen allocations, the form, the answer's JSON, the \
        moves of futures and records.",
    ),
    (
        "PostgreSQL: load,",
        "bare",
        "`callgrind`: a load takes fourteen thousand instructions more than the bare driver's. Five read the \
        record out of its JSON, three and a half hash the owner's name (fewer where the processor has \
        instructions for it); the rest makes record and token set, and wipes their texts.",
    ),
    (
        "SQLite: load,",
        "bare",
        "`callgrind`: a load takes 27 thousand instructions, the bare driver's 17, which leaves the record as \
        bytes. Five of the ten read the record out of its JSON, one keeps the time limit, one wipes what was \
        read.",
    ),
    (
        "Redis: load,",
        "bare",
        "`callgrind`: four fifths of the instructions beyond those of the driver read the record out of \
        its JSON, check the tokens in it and wipe the text. The driver alone leaves it as bytes.",
    ),
    (
        "load sealed",
        "in clear",
        "`callgrind`: seven tenths of the instructions beyond those of a record in clear are the cipher: \
        HChaCha20, which makes the key of the record, and ChaCha20-Poly1305 over the record and its \
        owner. The rest is to write down that owner, and that a sealed record is longer.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_by_the_figure_and_whom_it_is_compared_with() {
        let floor = why("cached header, 1 task", "floor: clock read");
        let peer = why(
            "cached header, 1 task",
            "google-cloud-auth headers, entity tag",
        );
        assert!(floor.is_some() && peer.is_some() && floor != peer);
        assert_eq!(why("memory", "floor"), None);
    }
}
