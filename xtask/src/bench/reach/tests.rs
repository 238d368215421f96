use super::*;

fn figure(what: &str, who: &str, value: f64) -> Figure {
    Figure {
        name: "cached",
        what: what.to_owned(),
        who: who.to_owned(),
        value,
        low: value,
        high: value,
        unit: "ns".to_owned(),
        rounds: 1,
    }
}

fn cached(ours: f64) -> Vec<Figure> {
    let what = "cached header, 1 task";
    vec![
        figure(what, "floor: clock read + header clone", 40.0),
        figure(what, "by hand: arc-swap", 50.0),
        figure(what, "slow peer", 400.0),
        figure(what, "fast peer", 200.0),
        figure(what, "oauth-core header", ours),
    ]
}

#[test]
fn a_figure_is_compared_with_the_floor_and_with_the_fastest_peer() {
    let figures = cached(50.0);
    let verdicts = judge(&figures, false);
    let with: Vec<_> = verdicts
        .iter()
        .map(|verdict| verdict.compared.as_ref().unwrap().with.unwrap())
        .collect();
    assert_eq!(
        with,
        [
            ("floor: clock read + header clone", 40.0),
            ("fast peer", 200.0)
        ]
    );
    assert!(verdicts.iter().all(Verdict::reached));
}

#[test]
fn a_figure_over_its_limit_is_missed() {
    let figures = cached(61.0);
    assert!(
        judge(&figures, false)
            .iter()
            .all(|verdict| !verdict.reached())
    );
}

#[test]
fn what_was_not_measured_of_ours_is_not_reached() {
    let mut figures = cached(1.0);
    figures.pop();
    let verdicts = judge(&figures, false);
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts.iter().all(|verdict| !verdict.reached()));
}

#[test]
fn the_worst_round_of_a_count_decides() {
    let mut figures = [figure("stampede, token requests", "oauth-core header", 1.0)];
    figures[0].high = 2.0;
    assert!(!judge(&figures, false)[0].reached());
}

#[test]
fn a_whole_run_misses_the_figure_that_is_not_there() {
    assert!(judge(&[], false).is_empty());
    let missed = judge(&[], true);
    assert!(!missed.is_empty() && missed.iter().all(|verdict| !verdict.reached()));
}
