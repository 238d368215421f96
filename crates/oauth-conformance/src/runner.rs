//! Runs cases on targets: every case with a fresh context, several at a time.

use std::{
    collections::BTreeSet,
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, stream};
use oauth_core::ReqwestTransport;
use secrecy::ExposeSecret;

use crate::{
    Case, Catalogue, Context, Exchange, Fault, Need, Secrets, Seed, Target, WatchedTransport,
    cases,
    context::Setting,
    secrets::{self, Finder},
    target::meets,
    trace::Trace,
};

/// No case takes longer: one that hangs is a failure, not a run without an end.
const DEADLINE: Duration = Duration::from_secs(180);

/// How many cases run at the same time. They wait for sockets more than they compute.
const PARALLEL: usize = 16;

/// Which case to run on which target, in the catalogue's order.
pub(crate) type Plan = Vec<(Arc<dyn Target>, Case)>;

/// What became of a case on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It passed.
    Passed,
    /// It failed: what was sent, expected and seen.
    Failed(String),
    /// It was not run, because the target lacks what it needs.
    Skipped(String),
}

/// A case that was run, or skipped, on a target.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The row's id.
    pub id: &'static str,
    /// The target's name.
    pub target: String,
    /// What became of it.
    pub status: Status,
    /// What went over the wire, secrets masked; no more than a report has room for.
    pub exchanges: Vec<Exchange>,
    /// How many exchanges came after those.
    pub left_out: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl Event {
    /// Without the secrets that the run has met by now. What one case sends as a word can be a secret
    /// in another, and a failure says what came; a report with one in it would be kept back whole.
    pub(crate) fn masked(mut self, finder: &Finder) -> Self {
        for exchange in &mut self.exchanges {
            exchange.sent = finder.masked(&exchange.sent);
            exchange.received = finder.masked(&exchange.received);
        }
        if let Status::Failed(why) = &mut self.status {
            *why = finder.masked(why);
        }
        self
    }
}

/// What to run.
#[derive(Debug)]
pub struct Run {
    targets: Vec<Arc<dyn Target>>,
    only: Option<String>,
    seed: Seed,
    fault: Option<Fault>,
}

/// What came of a run: an event for each case on each target, in the catalogue's order.
#[derive(Debug)]
pub struct Report {
    /// The catalogue that was run.
    pub catalogue: Catalogue,
    /// The targets' names.
    pub targets: Vec<String>,
    /// The events.
    pub events: Vec<Event>,
    /// Whether all cases were to run, rather than one.
    pub whole: bool,
    /// What the run drew from.
    pub seed: Seed,
    /// The secrets that were used: whatever is said about the run is to be searched for them.
    pub secrets: Secrets,
}

impl Run {
    /// Every case on these targets.
    #[must_use]
    pub fn new(targets: Vec<Arc<dyn Target>>) -> Self {
        Self {
            targets,
            only: None,
            seed: Seed::new(0),
            fault: None,
        }
    }

    /// Draws from this seed: the order of the cases, the points of faults, the values that the
    /// suite's clients generate. Without it the seed is 0.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Only this fault, of those that cases send an exchange through.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Only the case of this id.
    #[must_use]
    pub fn only(mut self, id: &str) -> Self {
        self.only = Some(id.to_owned());
        self
    }

    /// How many events there will be.
    ///
    /// # Errors
    /// As [`Run::start`].
    pub fn len(&self) -> Result<usize, String> {
        Ok(self.plan(&Catalogue::load()?)?.len())
    }

    /// Whether there is nothing to run.
    ///
    /// # Errors
    /// As [`Run::start`].
    pub fn is_empty(&self) -> Result<bool, String> {
        self.len().map(|len| len == 0)
    }

    /// Runs everything; `progress` is told of each case as it ends.
    ///
    /// # Errors
    /// A text when the catalogue cannot be read, when a case claims a row that is not in it, when
    /// the id asked for is unknown or claimed by no case, or when no HTTP client can be set up.
    pub async fn start(self, mut progress: impl FnMut(&Event)) -> Result<Report, String> {
        let catalogue = Catalogue::load()?;
        let plan = self.plan(&catalogue)?;
        let setting = &self.setting()?;
        let mut plan: Vec<_> = plan.into_iter().enumerate().collect();
        self.seed.of("order").draw().shuffle(&mut plan);
        let mut events: Vec<(usize, Event)> = Vec::with_capacity(plan.len());
        let mut running = stream::iter(plan)
            .map(|(index, (target, case))| async move {
                (index, run(target, case, setting.clone()).await)
            })
            .buffer_unordered(PARALLEL);
        while let Some((index, event)) = running.next().await {
            progress(&event);
            events.push((index, event));
        }
        drop(running);
        events.sort_by_key(|(index, _)| *index);
        let targets = self
            .targets
            .iter()
            .map(|target| target.name().to_owned())
            .collect();
        let finder = setting.secrets.finder();
        let events = events.into_iter().map(|(_, event)| event.masked(&finder));
        Ok(Report {
            catalogue,
            targets,
            events: events.collect(),
            whole: self.only.is_none(),
            seed: self.seed,
            secrets: setting.secrets.clone(),
        })
    }

    /// What the cases of this run share.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub(crate) fn setting(&self) -> Result<Setting, String> {
        let transport = ReqwestTransport::new().map_err(|error| error.to_string())?;
        let secrets = Secrets::default();
        Ok(Setting {
            transport: WatchedTransport::new(transport, secrets.clone()),
            secrets,
            seed: self.seed,
            fault: self.fault,
        })
    }

    /// What [`Run::start`] would run, and what it would skip.
    ///
    /// # Errors
    /// As [`Run::start`]; and when a target's provider cannot be built.
    pub fn planned(&self) -> Result<Vec<Planned>, String> {
        let plan = self.plan(&Catalogue::load()?)?;
        plan.into_iter()
            .map(|(target, case)| {
                let skipped = missing(&*target, case)?;
                Ok(Planned {
                    id: case.id,
                    target: target.name().to_owned(),
                    skipped,
                    expected_to_fail: expected(&*target, case).map(str::to_owned),
                })
            })
            .collect()
    }

    /// What is wrong with the claims of this run's cases: a row that none of them and no named test
    /// claims, though nothing says why it is absent; a row said to be absent that one claims; a
    /// failure expected of a row that no case claims there, or without a reason. For a run over all
    /// the targets that the catalogue has rows for.
    ///
    /// # Errors
    /// As [`Run::start`].
    pub fn unclaimed(&self) -> Result<Vec<String>, String> {
        let catalogue = Catalogue::load()?;
        let plan = self.plan(&catalogue)?;
        let mut wrong = Vec::new();
        for row in catalogue.rows() {
            let claimed = !row.tests.is_empty() || plan.iter().any(|(_, case)| case.id == row.id);
            match (&row.absent, claimed) {
                (None, false) => wrong.push(format!(
                    "{} ({}) has no case, and the catalogue does not say why",
                    row.id, row.level
                )),
                (Some(_), true) => wrong.push(format!(
                    "{} has a case, but the catalogue says that it has none",
                    row.id
                )),
                (Some(reason), false) if !says_why(reason) => wrong.push(format!(
                    "{} is absent, but the catalogue does not say for want of what and why: {reason:?}",
                    row.id
                )),
                _ => {}
            }
        }
        wrong.extend(self.expected_in_vain(&plan));
        Ok(wrong)
    }

    /// The half of [`Run::unclaimed`] that is about a target alone.
    pub(crate) fn expected_in_vain(&self, plan: &Plan) -> Vec<String> {
        let mut wrong = Vec::new();
        for target in &self.targets {
            let name = target.name();
            for (id, reason) in target.expected_failures() {
                let claims =
                    |(on, case): &(Arc<dyn Target>, Case)| case.id == id && on.name() == name;
                if !plan.iter().any(claims) {
                    wrong.push(format!(
                        "{name} expects {id} to fail, which no case claims there"
                    ));
                }
                if reason.trim().is_empty() {
                    wrong.push(format!("{name} expects {id} to fail without a reason"));
                }
            }
        }
        wrong
    }

    pub(crate) fn plan(&self, catalogue: &Catalogue) -> Result<Plan, String> {
        if let Some(id) = &self.only
            && catalogue.get(id).is_none()
        {
            return Err(format!(
                "{id} is not in the catalogue; `cargo xtask conformance --list` shows what is"
            ));
        }
        let mut plan: Plan = Vec::new();
        for target in &self.targets {
            let mut claimed = BTreeSet::new();
            for case in cases().into_iter().chain(target.cases()) {
                if catalogue.get(case.id).is_none() {
                    return Err(format!(
                        "a case claims {}, which is not in the catalogue",
                        case.id
                    ));
                }
                if !claimed.insert(case.id) {
                    return Err(format!("two cases claim {} on {}", case.id, target.name()));
                }
                // Rows about servers are not the business of a client's provider, nor those about
                // clients a server's: no part of its plan, rather than a hundred skips.
                let about = match case.needs.contains(&Need::Server) {
                    true => Need::Server,
                    false => Need::Client,
                };
                if target.lacks().contains(&about) {
                    continue;
                }
                if self.only.as_deref().is_none_or(|id| id == case.id) {
                    plan.push((target.clone(), case));
                }
            }
        }
        if plan.is_empty() {
            return Err("no case claims that row on these targets; rows about servers run only on a target that is one".to_owned());
        }
        let order: Vec<&str> = catalogue.rows().map(|row| row.id.as_str()).collect();
        plan.sort_by_key(|(_, case)| order.iter().position(|id| *id == case.id));
        Ok(plan)
    }
}

/// A case of the plan, and why it would be skipped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Planned {
    /// The row's id.
    pub id: &'static str,
    /// The target's name.
    pub target: String,
    /// What the target lacks, if the case would be skipped.
    pub skipped: Option<String>,
    /// Why it is expected to fail there, if it is.
    pub expected_to_fail: Option<String>,
}

impl Planned {
    /// Whether a run shows that the target meets the row.
    #[must_use]
    pub fn proves(&self) -> bool {
        self.skipped.is_none() && self.expected_to_fail.is_none()
    }
}

impl fmt::Display for Planned {
    /// The target; in parentheses where it lacks something, with the reason where it is to fail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.skipped, &self.expected_to_fail) {
            (Some(_), _) => write!(f, "({})", self.target),
            (None, Some(why)) => write!(f, "{} (expected to fail: {why})", self.target),
            (None, None) => f.write_str(&self.target),
        }
    }
}

impl Report {
    /// How many passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        self.events
            .iter()
            .fold((0, 0, 0), |(passed, failed, skipped), event| {
                match event.status {
                    Status::Passed => (passed + 1, failed, skipped),
                    Status::Failed(_) => (passed, failed + 1, skipped),
                    Status::Skipped(_) => (passed, failed, skipped + 1),
                }
            })
    }
}

pub(crate) async fn run(target: Arc<dyn Target>, case: Case, setting: Setting) -> Event {
    let name = target.name().to_owned();
    let started = Instant::now();
    let trace = Trace::default();
    let credentials = target.credentials();
    let expected = expected(&*target, case);
    let status = match missing(&*target, case) {
        Err(why) => Status::Failed(why),
        Ok(Some(reason)) => Status::Skipped(reason),
        Ok(None) => {
            let secrets = setting.secrets.clone();
            let context = Context::new(target, case.id, setting);
            // From the start in the scope: what a case calls before it first waits counts, too.
            let case = secrets::CURRENT.scope(secrets, async { (case.run)(context).await });
            let case = AssertUnwindSafe(case).catch_unwind();
            let case = trace.clone().scope(case);
            match tokio::time::timeout(DEADLINE, case).await {
                Ok(Ok(Ok(()))) => Status::Passed,
                Ok(Ok(Err(failure))) => Status::Failed(failure.to_string()),
                Ok(Err(_)) => Status::Failed("the case panicked".to_owned()),
                Err(_) => Status::Failed("the case did not end within 180 s".to_owned()),
            }
        }
    };
    let (exchanges, left_out) = trace.exchanges(&[
        credentials.client_secret.expose_secret(),
        credentials.password.expose_secret(),
    ]);
    Event {
        id: case.id,
        target: name,
        status: against(expected, status),
        exchanges,
        left_out,
        elapsed: started.elapsed(),
    }
}

/// Whether it is `not built: CAPABILITY; WHY`, or an owned-up debt.
fn says_why(absent: &str) -> bool {
    let of = |rest: &str| {
        rest.split_once(';')
            .is_some_and(|(what, why)| !(what.trim().is_empty() || why.trim().is_empty()))
    };
    absent.strip_prefix("not built: ").is_some_and(of) || absent.starts_with("owed")
}

/// Why the case is expected to fail on the target, if it is.
fn expected(target: &dyn Target, case: Case) -> Option<&'static str> {
    let mut all = target.expected_failures().into_iter();
    all.find_map(|(id, reason)| (id == case.id).then_some(reason))
}

/// What a result is where a failure is expected for this reason.
fn against(expected: Option<&str>, status: Status) -> Status {
    match (expected, status) {
        (Some(reason), Status::Failed(why)) if reason.trim().is_empty() => {
            Status::Failed(format!("it is expected to fail without a reason: {why}"))
        }
        (Some(reason), Status::Failed(_)) => Status::Skipped(format!("expected to fail: {reason}")),
        (Some(reason), Status::Passed) => Status::Failed(format!(
            "it passes, but is listed as expected to fail ({reason}): take it off that list"
        )),
        (_, Status::Skipped(reason)) if reason.trim().is_empty() => {
            Status::Failed("it was skipped without a reason".to_owned())
        }
        (_, status) => status,
    }
}

/// The first need that the target does not meet.
///
/// # Errors
/// A text when its provider cannot be built: nothing is known of what it can do, and a case that
/// were skipped for that would hide it.
fn missing(target: &dyn Target, case: Case) -> Result<Option<String>, String> {
    let provider = target
        .provider("http://127.0.0.1:9")
        .map_err(|error| format!("the target's provider cannot be built: {error}"))?;
    let capabilities = provider.capabilities();
    let can = |capability| capabilities.contains(capability);
    Ok(case
        .needs
        .iter()
        .find(|need| !meets(target, **need, can))
        .map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use oauth_core::{Error, Provider};

    use super::*;
    use crate::Credentials;

    #[derive(Debug)]
    struct Broken;

    impl Target for Broken {
        fn name(&self) -> &str {
            "broken"
        }

        fn provider(&self, _: &str) -> Result<Arc<dyn Provider>, Error> {
            Err(Error::usage("not today"))
        }

        fn credentials(&self) -> Credentials {
            Credentials::new("id", "secret")
        }
    }

    #[tokio::test]
    async fn a_provider_that_cannot_be_built_fails_every_case() {
        let report = Run::new(vec![Arc::new(Broken)])
            .start(|_| {})
            .await
            .unwrap();
        let (passed, failed, skipped) = report.counts();
        assert!(
            failed > 0 && (passed, skipped) == (0, 0),
            "{passed} {failed} {skipped}"
        );
    }

    #[test]
    fn an_expected_failure_must_fail_and_a_skip_must_say_why() {
        let skipped = |reason: &str| Status::Skipped(reason.to_owned());
        let failed = Status::Failed("why".to_owned());
        assert_eq!(against(None, Status::Passed), Status::Passed);
        assert_eq!(against(None, failed.clone()), failed);
        assert_eq!(against(None, skipped("x")), skipped("x"));
        assert!(matches!(against(None, skipped(" ")), Status::Failed(_)));
        assert_eq!(
            against(Some("x"), failed.clone()),
            skipped("expected to fail: x")
        );
        assert!(matches!(against(Some(" "), failed), Status::Failed(_)));
        assert!(matches!(
            against(Some("x"), Status::Passed),
            Status::Failed(_)
        ));
    }

    /// Has cases and expectations of its own.
    #[derive(Debug)]
    struct Odd {
        cases: &'static [Case],
        fails: &'static [(&'static str, &'static str)],
    }

    impl Target for Odd {
        fn name(&self) -> &str {
            "odd"
        }

        fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
            let endpoints = oauth_core::Endpoints::new(&format!("{base_url}/token"))?;
            Ok(Arc::new(oauth_core::GenericProvider::new(endpoints)))
        }

        fn credentials(&self) -> Credentials {
            Credentials::new("id", "secret")
        }

        fn cases(&self) -> Vec<Case> {
            self.cases.to_vec()
        }

        fn expected_failures(&self) -> Vec<(&'static str, &'static str)> {
            self.fails.to_vec()
        }
    }

    async fn passes(_: Context) -> crate::Outcome {
        Ok(())
    }

    async fn fails(cx: Context) -> crate::Outcome {
        cx.secrets().add("a-secret-of-the-case");
        Err(crate::Failure::new("got a-secret-of-the-case"))
    }

    fn run_of(cases: &'static [Case], fails: &'static [(&'static str, &'static str)]) -> Run {
        Run::new(vec![Arc::new(Odd { cases, fails })])
    }

    #[test]
    fn a_claim_of_no_row_or_of_a_claimed_one_is_refused() {
        let unknown = run_of(crate::cases! { "TW-999" [] => passes, }, &[]);
        assert!(unknown.len().unwrap_err().contains("TW-999"));
        let twice = run_of(crate::cases! { "RSP-01" [] => passes, }, &[]);
        assert!(twice.len().unwrap_err().contains("two cases claim RSP-01"));
    }

    #[tokio::test]
    async fn an_expected_failure_that_passes_fails_the_run_and_one_that_fails_does_not() {
        const OWN: &[Case] = crate::cases! { "TW-01" [] => passes, "TW-02" [] => fails, };
        let reason = "known";
        for (id, fine) in [("TW-01", false), ("TW-02", true)] {
            let expected: &'static [_] = match id {
                "TW-01" => &[("TW-01", "known")],
                _ => &[("TW-02", "known")],
            };
            let report = run_of(OWN, expected).only(id).start(|_| {}).await.unwrap();
            let status = &report.events[0].status;
            match status {
                Status::Skipped(why) => assert!(fine && why.contains(reason), "{why}"),
                Status::Failed(why) => assert!(!fine && why.contains("take it off"), "{why}"),
                Status::Passed => panic!("{id} passed"),
            }
        }
        let nowhere = run_of(OWN, &[("TW-03", "known")]).unclaimed().unwrap();
        assert!(
            nowhere.iter().any(|line| line.contains("TW-03 to fail")),
            "{nowhere:?}"
        );
        let no_reason = run_of(OWN, &[("TW-01", " ")]).unclaimed().unwrap();
        assert!(
            no_reason
                .iter()
                .any(|line| line.contains("TW-01 to fail without a reason")),
            "{no_reason:?}"
        );
    }

    #[test]
    fn what_is_expected_to_fail_proves_nothing() {
        const OWN: &[Case] = crate::cases! { "TW-01" [] => passes, "TW-02" [] => passes, };
        let planned = run_of(OWN, &[("TW-01", "known")]).planned().unwrap();
        let of = |id| planned.iter().find(|planned| planned.id == id).unwrap();
        assert!(!of("TW-01").proves() && of("TW-02").proves());
        assert_eq!(of("TW-01").to_string(), "odd (expected to fail: known)");
        let document = crate::document(&Catalogue::load().unwrap(), &planned);
        let claimed = |planned: Vec<Planned>| {
            let document = crate::document(&Catalogue::load().unwrap(), &planned);
            let count = document.split(" rows have a test").next().unwrap();
            count.rsplit_once('\n').unwrap().1.to_owned()
        };
        assert!(document.contains("expected to fail: known"), "{document}");
        let without = planned.iter().filter(|planned| planned.id != "TW-01");
        let without = without.cloned().collect();
        assert_eq!(claimed(planned), claimed(without));
    }

    #[tokio::test]
    async fn what_a_failure_says_is_masked() {
        const OWN: &[Case] = crate::cases! { "TW-02" [] => fails, };
        let report = run_of(OWN, &[]).only("TW-02").start(|_| {}).await.unwrap();
        let failed = Status::Failed("got [secret]".to_owned());
        assert_eq!(report.events[0].status, failed);
    }

    #[test]
    fn a_row_said_to_be_absent_that_a_case_claims_is_found() {
        const OWN: &[Case] = crate::cases! { "QK-04" [] => passes, };
        let wrong = run_of(OWN, &[]).unclaimed().unwrap();
        assert!(
            wrong
                .iter()
                .any(|line| line.starts_with("QK-04 has a case")),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_row_without_a_case_is_found_whatever_it_weighs() {
        let wrong = Run::new(vec![Arc::new(Broken)]).unclaimed().unwrap();
        // Broken is no Twitch, and no server.
        for id in ["TW-01 ", "STK-01 ", "SRV-04 "] {
            assert!(wrong.iter().any(|line| line.starts_with(id)), "{wrong:?}");
        }
        assert!(
            !wrong.iter().any(|line| line.starts_with("RSP-01 ")),
            "{wrong:?}"
        );
    }

    #[test]
    fn an_absent_row_says_for_want_of_what_and_why() {
        assert!(says_why("not built: a thing; nobody wants it") && says_why("owed: next"));
        for bad in [
            "",
            "not built: ",
            "not built: a thing",
            "not built: ; why",
            "shown elsewhere",
        ] {
            assert!(!says_why(bad), "{bad}");
        }
    }

    #[test]
    fn a_row_is_claimed_once_on_a_target_and_an_unknown_one_is_refused() {
        let run = || Run::new(vec![Arc::new(Broken)]);
        let planned = run().planned().unwrap_err();
        assert!(planned.contains("not today"), "{planned}");
        assert!(run().only("NO-SUCH-ROW").len().is_err());
        assert!(run().only("STK-01").len().unwrap_err().contains("server"));
    }
}
