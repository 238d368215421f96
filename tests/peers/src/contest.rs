//! Rounds that take turns: a machine that slows down slows everyone down, and nobody always comes
//! after the same one.

use std::time::{Duration, Instant};

use serde_json::json;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Fewer and shorter rounds.
    pub quick: bool,
}

impl Effort {
    /// `full`, or `quick` when there is little time.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// Something a round measures: what, and its unit.
pub type Figure = (&'static str, &'static str);

/// Runs something and tells how many allocations it made, and of how many bytes.
pub type Count = fn(&mut dyn FnMut()) -> (u64, u64);

/// Who takes part: a round gives one value for each figure.
pub struct Contestant {
    pub who: &'static str,
    pub round: Box<dyn FnMut() -> Vec<f64>>,
    /// For a contestant whose round takes seconds.
    pub rounds_at_most: usize,
}

impl Contestant {
    pub fn new(who: &'static str, round: impl FnMut() -> Vec<f64> + 'static) -> Self {
        Self {
            who,
            round: Box::new(round),
            rounds_at_most: usize::MAX,
        }
    }

    pub fn at_most(mut self, rounds: usize) -> Self {
        self.rounds_at_most = rounds;
        self
    }
}

/// Runs the rounds, each in [`order`], after one of each that doesn't count, and reports the medians.
pub fn interleave(figures: &[Figure], rounds: usize, contestants: Vec<Contestant>) {
    take_turns(figures, rounds, contestants, true);
}

/// As [`interleave`] for what is measured cold: no round goes uncounted.
pub fn interleave_cold(figures: &[Figure], rounds: usize, contestants: Vec<Contestant>) {
    take_turns(figures, rounds, contestants, false);
}

fn take_turns(figures: &[Figure], rounds: usize, mut contestants: Vec<Contestant>, warm_up: bool) {
    if warm_up {
        for contestant in &mut contestants {
            (contestant.round)();
        }
    }
    let mut measured = vec![vec![Vec::new(); figures.len()]; contestants.len()];
    for round in 0..rounds {
        for at in order(round, contestants.len()) {
            let contestant = &mut contestants[at];
            if round < contestant.rounds_at_most {
                for (values, value) in measured[at].iter_mut().zip((contestant.round)()) {
                    values.push(value);
                }
            }
        }
    }
    for (position, figure) in figures.iter().enumerate() {
        for (contestant, measured) in contestants.iter().zip(&mut measured) {
            report(*figure, contestant.who, &mut measured[position]);
        }
    }
}

/// Who comes when; of three: A B C, C B A, B C A, A C B, C A B, B A C. Nobody is always first, nor
/// always behind the same one, whose warm memory and threads it would feel.
fn order(round: usize, contestants: usize) -> impl Iterator<Item = usize> {
    (0..contestants).map(move |place| {
        let place = match round % 2 {
            0 => place,
            _ => contestants - 1 - place,
        };
        (round / 2 + place) % contestants
    })
}

/// One line of JSON for the program that reads, one of text for the person that waits.
pub fn report((what, unit): Figure, who: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let [lowest, .., highest] = *values else {
        let Some(only) = values.first().copied() else {
            return;
        };
        return print(what, who, unit, [only; 3], 1);
    };
    let middle = values.len() / 2;
    let median = if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    };
    print(what, who, unit, [median, lowest, highest], values.len());
}

fn print(what: &str, who: &str, unit: &str, [value, low, high]: [f64; 3], rounds: usize) {
    let line = json!({
        "what": what, "who": who, "value": value, "unit": unit, "rounds": rounds,
        "low": low, "high": high,
    });
    println!("{line}");
    eprintln!("{what:<37} {who:<44} {value:>12.2} {unit:<12} ({low:.2} to {high:.2})");
}

/// Nanoseconds for each of `operations`.
pub fn nanoseconds_each(taken: Duration, operations: usize) -> f64 {
    taken.as_nanos() as f64 / operations as f64
}

/// Operations in each second, in `scale`s.
pub fn rate(started: Instant, operations: usize, scale: f64) -> f64 {
    operations as f64 / started.elapsed().as_secs_f64() / scale
}
