//! What the figures have to reach.

use super::Figure;

/// Ours begins with one of these.
const OURS: [&str; 4] = ["oauth-core", "oauth-server", "oauth-store", "oauth-cli"];
/// What is written by hand, or is a bare client, begins with one of these.
const NOT_A_PEER: [&str; 5] = ["floor", "by hand", "plain", "raw", "HashMap"];

/// A figure of ours, what it is compared with, and how far it may be from it.
struct Reach {
    figure: &'static str,
    against: Against,
    limit: Limit,
}

enum Against {
    /// Nothing: the figure itself counts.
    Itself,
    /// Who begins with this; the best of them, when there are several.
    Who(&'static str),
    /// The best of the peers.
    Peers,
    /// What cannot be changed.
    Constant(f64, &'static str),
}

#[derive(Clone, Copy)]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

use Against::{Constant, Itself, Peers, Who};
use Limit::{AtLeast, AtMost};

const REACHES: &[Reach] = &[
    reach("cached header, 1 task", Who("floor"), AtMost(1.5)),
    reach("cached header, 1 task", Peers, AtMost(0.25)),
    reach("cached header, allocations", Itself, AtMost(0.0)),
    reach("cached header, 64 tasks, 2 threads", Peers, AtLeast(2.0)),
    reach("keyed get, 1 owner", Who("by hand"), AtMost(1.3)),
    reach("keyed get, 1,000,000 owners", Who("by hand"), AtMost(1.3)),
    reach("keyed get, allocations", Itself, AtMost(0.0)),
    reach("stampede, token requests", Itself, AtMost(1.0)),
    reach(
        "stampede, until all are served",
        Constant(50.0, "the endpoint's 50 ms"),
        AtMost(1.5),
    ),
    reach("1,000 cold keys, token requests", Itself, AtMost(1_000.0)),
    reach("1,000 cold keys, open at once", Itself, AtMost(64.0)),
    reach("memory, 1,000,000 tokens", Itself, AtMost(300.0)),
    reach(
        "authorized requests, 32 at a time",
        Who("plain"),
        AtLeast(0.98),
    ),
    reach("token exchange, 32 at a time", Who("raw"), AtLeast(0.95)),
    reach(
        "token endpoint, server CPU per request",
        Who("plain"),
        AtMost(1.6),
    ),
    reach(
        "token endpoint, requests",
        Who("node-oidc-provider"),
        AtLeast(6.0),
    ),
    reach("token endpoint, p99", Who("oxide-auth"), AtMost(0.1)),
    reach(
        "introspection, server CPU per request",
        Who("plain"),
        AtMost(1.6),
    ),
    reach(
        "introspection, requests",
        Who("node-oidc-provider"),
        AtLeast(6.0),
    ),
    reach("wrong secrets, Welch's t", Itself, AtMost(4.5)),
    reach(
        "start of the command line, fastest of 20",
        Who("floor"),
        AtMost(2.0),
    ),
    reach("clean dev build", Who("reqwest"), AtMost(1.3)),
];

/// The same of each store.
macro_rules! stores {
    ($($store:literal),+) => {
        &[$(
            reach(concat!($store, ": load, 1 task"), Who("bare"), AtLeast(0.8)),
            reach(concat!($store, ": save, 1 task"), Who("bare"), AtLeast(0.8)),
            reach(concat!($store, ": load, 32 tasks"), Who("bare"), AtLeast(0.8)),
            reach(concat!($store, ": save, 32 tasks"), Who("bare"), AtLeast(0.8)),
            reach(concat!($store, ": load sealed, 1 task"), Who("in clear"), AtLeast(0.9)),
            reach(concat!($store, ": save sealed, 1 task"), Who("in clear"), AtLeast(0.9)),
            reach(concat!($store, ": load sealed, 32 tasks"), Who("in clear"), AtLeast(0.9)),
            reach(concat!($store, ": save sealed, 32 tasks"), Who("in clear"), AtLeast(0.9)),
            // A hundred times the rows: what depends on the table takes a hundred times as long.
            reach(concat!($store, ": 100 due at once"), Who("among"), AtMost(3.0)),
            reach(concat!($store, ": 100 purged at once"), Who("among"), AtMost(3.0)),
        )+]
    };
}

const STORES: &[Reach] = stores!("PostgreSQL", "Redis", "SQLite");

const fn reach(figure: &'static str, against: Against, limit: Limit) -> Reach {
    Reach {
        figure,
        against,
        limit,
    }
}

/// How a figure of ours stands.
pub(super) struct Verdict<'a> {
    pub(super) what: &'static str,
    pub(super) limit: Limit,
    /// Nothing of ours, or nothing to compare it with, was measured.
    pub(super) compared: Option<Compared<'a>>,
}

pub(super) struct Compared<'a> {
    pub(super) ours: &'a Figure,
    /// With whom, and their figure; nobody, when ours itself counts.
    pub(super) with: Option<(&'a str, f64)>,
    /// What has to be within the limit.
    pub(super) ratio: f64,
}

impl Verdict<'_> {
    pub(super) fn reached(&self) -> bool {
        match (&self.compared, self.limit) {
            (None, _) => false,
            (Some(compared), AtMost(limit)) => compared.ratio <= limit,
            (Some(compared), AtLeast(limit)) => compared.ratio >= limit,
        }
    }
}

/// A verdict for each reach. Where the run was not to be `whole`, for those of the figures that were
/// measured at all; in a whole one, a figure that is missing is missed.
pub(super) fn judge(figures: &[Figure], whole: bool) -> Vec<Verdict<'_>> {
    REACHES
        .iter()
        .chain(STORES)
        .filter(|reach| whole || figures.iter().any(|figure| figure.what == reach.figure))
        .map(|reach| Verdict {
            what: reach.figure,
            limit: reach.limit,
            compared: compare(reach, figures),
        })
        .collect()
}

fn is_ours(who: &str) -> bool {
    OURS.iter().any(|name| who.starts_with(name))
}

fn compare<'a>(reach: &Reach, figures: &'a [Figure]) -> Option<Compared<'a>> {
    let of = |fits: fn(&str, &str) -> bool, name: &'static str| {
        let fitting = figures
            .iter()
            .filter(move |figure| figure.what == reach.figure && fits(&figure.who, name));
        match reach.limit {
            AtMost(_) => fitting.min_by(|a, b| a.value.total_cmp(&b.value)),
            AtLeast(_) => fitting.max_by(|a, b| a.value.total_cmp(&b.value)),
        }
    };
    let begins = |who: &str, name: &str| who.starts_with(name);
    // The worst of ours: who has several ways is not to show the best one only.
    let ours = figures
        .iter()
        .filter(|figure| figure.what == reach.figure && is_ours(&figure.who))
        .reduce(|worst, figure| match reach.limit {
            AtMost(_) if figure.high > worst.high => figure,
            AtLeast(_) if figure.value < worst.value => figure,
            _ => worst,
        })?;
    let with = match reach.against {
        // A count that is right most of the time is wrong.
        Itself => {
            return Some(Compared {
                ours,
                with: None,
                ratio: ours.high,
            });
        }
        Constant(value, name) => (name, value),
        Who(name) => of(begins, name).map(|figure| (figure.who.as_str(), figure.value))?,
        Peers => {
            let peer = |who: &str, _: &str| {
                !is_ours(who) && !NOT_A_PEER.iter().any(|name| who.starts_with(name))
            };
            of(peer, "").map(|figure| (figure.who.as_str(), figure.value))?
        }
    };
    Some(Compared {
        ours,
        with: Some(with),
        ratio: ours.value / with.1,
    })
}

#[cfg(test)]
mod tests;
