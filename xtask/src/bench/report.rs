//! The figures as tables.

use std::fmt::Write;

use super::{
    Figure, machine,
    reach::{Limit, Verdict},
    why::why,
};

const HEAD: &str = "# Performance

<!-- Written by `cargo xtask bench`. Change what measures, not this page. -->
";

const HOW_TO_READ: &str = "
## How to read it

Every figure is the median of rounds in which all contestants took turns (the lowest and the highest
round behind it), so that a machine that slows down slows everybody down. Compare ratios within a
table; a run elsewhere, or later, differs by more than many of the differences shown. How it is
measured, and what makes it fair, is in `tests/peers/README.md`.

`floor` and `by hand` are no libraries: they are the parts any answer is made of, without what a
library has to add (renewal, failure, many callers), and show what cannot be beaten. Of servers,
`plain` and `by hand` are the like. wrk takes longer for a request than the fastest servers do, so
their requests a second are wrk's: compare the time that their processes take for a request. Of
stores, `1 task` runs on one core, its server if it has one beside it, so that this figure is not the
luck of which core is woken.
";

/// The whole page.
pub(super) fn page(figures: &[Figure], verdicts: &[Verdict<'_>]) -> String {
    let mut page = format!(
        "{HEAD}\nMeasured on {}, release builds, loopback.\n\n{}{}{HOW_TO_READ}",
        machine::description(),
        self::verdicts(verdicts),
        missed(verdicts),
    );
    let mut what = "";
    for figure in figures {
        if figure.what != what {
            what = &figure.what;
            page.push_str(&table(what, figures));
        }
    }
    page
}

/// What is reached and what is missed.
pub(super) fn verdicts(verdicts: &[Verdict<'_>]) -> String {
    let mut table =
        String::from("| what | ours | against | ratio | reach | |\n|---|--:|---|--:|--:|---|\n");
    for verdict in verdicts {
        let limit = match verdict.limit {
            Limit::AtMost(limit) => format!("at most {}", number(limit)),
            Limit::AtLeast(limit) => format!("at least {}", number(limit)),
        };
        let (ours, against, ratio) = match &verdict.compared {
            None => (String::new(), String::new(), String::new()),
            Some(compared) => (
                format!("{} {}", number(compared.ours.value), compared.ours.unit),
                compared.with.map_or_else(String::new, |(who, value)| {
                    format!("{who}, {}", number(value))
                }),
                number(compared.ratio),
            ),
        };
        let word = match (&verdict.compared, verdict.reached()) {
            (None, _) => "**not measured**",
            (_, true) => "reached",
            (_, false) => "**missed**",
        };
        line(
            &mut table,
            format_args!(
                "| {} | {ours} | {against} | {ratio} | {limit} | {word} |",
                verdict.what
            ),
        );
    }
    table
}

/// Of what is missed, the reason.
fn missed(verdicts: &[Verdict<'_>]) -> String {
    let mut list = String::new();
    for verdict in verdicts.iter().filter(|verdict| !verdict.reached()) {
        let Some(compared) = &verdict.compared else {
            continue;
        };
        let with = compared.with.map_or("", |(who, _)| who);
        let why = why(verdict.what, with).unwrap_or("Not known: the rounds' spread may be all.");
        line(
            &mut list,
            format_args!("\n**{}**, beside {with}: {why}", verdict.what),
        );
    }
    match list.is_empty() {
        true => list,
        false => format!("\n## What is missed, and why\n{list}"),
    }
}

/// All contestants of one figure, each with its share of the first one's.
fn table(what: &str, figures: &[Figure]) -> String {
    let mut rows = figures
        .iter()
        .filter(|figure| figure.what == what)
        .peekable();
    let Some(first) = rows.peek().copied() else {
        return String::new();
    };
    let mut table = format!(
        "\n## {}{}\n\n`cargo xtask bench --only {}`\n\n| who | {} | rounds | ratio to the first |\n|---|--:|---|--:|\n",
        what[..1].to_uppercase(),
        &what[1..],
        first.name,
        first.unit
    );
    for row in rows {
        let ratio = if first.value > 0.0 {
            number(row.value / first.value)
        } else {
            String::new()
        };
        line(
            &mut table,
            format_args!(
                "| {} | {} | {}: {} to {} | {ratio} |",
                row.who,
                number(row.value),
                row.rounds,
                number(row.low),
                number(row.high),
            ),
        );
    }
    table
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    writeln!(text, "{line}").ok();
}

/// Three digits that count; no more than is known.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        value if value >= 100.0 || value.fract() == 0.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::{super::reach, *};

    fn figure(who: &str, value: f64) -> Figure {
        Figure {
            name: "cached",
            what: "cached header, 1 task".to_owned(),
            who: who.to_owned(),
            value,
            low: value - 1.0,
            high: value + 1.0,
            unit: "ns".to_owned(),
            rounds: 15,
        }
    }

    #[test]
    fn the_page_shows_what_is_missed_and_the_command_behind_each_table() {
        let figures = [
            figure("floor: by hand", 40.0),
            figure("oauth-core handle", 50.0),
            figure("peer", 150.0),
        ];
        let page = page(&figures, &reach::judge(&figures, false));
        for line in [
            "| cached header, 1 task | 50 ns | floor: by hand, 40 | 1.25 | at most 1.50 | reached |",
            "| cached header, 1 task | 50 ns | peer, 150 | 0.33 | at most 0.25 | **missed** |",
            "## What is missed, and why",
            "## Cached header, 1 task",
            "`cargo xtask bench --only cached`",
            "| peer | 150 | 15: 149 to 151 | 3.75 |",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
