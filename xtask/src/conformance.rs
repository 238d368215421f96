//! `cargo xtask conformance`: the suite over the table of targets.

mod checks;
mod docs;
pub(crate) mod live;
pub(crate) mod peer;
mod said;

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, File},
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use indicatif::{ProgressBar, ProgressStyle};
use oauth_conformance::{
    Catalogue, Fault, Run, Seed, Target, html, json, junit, matrix, matrix_in_colour,
};

use crate::targets;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this provider; may be repeated
    #[arg(long, value_name = "PROVIDER")]
    provider: Vec<String>,
    /// Only this row, such as RSP-03
    #[arg(long, value_name = "ID")]
    case: Option<String>,
    /// Shows every row and which targets have a case for it, and runs nothing
    #[arg(long, conflicts_with_all = ["case", "json", "junit", "html"])]
    list: bool,
    /// Writes docs/conformance.md from the catalogue, and runs nothing
    #[arg(long, conflicts_with_all = ["provider", "case", "json", "junit", "html", "list"])]
    write_docs: bool,
    /// Writes the results to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the results to FILE as JUnit XML, for a CI server
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes the results to FILE as one page, with what went over the wire
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Draws the order of the cases, the points of faults and generated values from this number;
    /// without it a new one is taken, and printed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<Seed>,
    /// Only this fault, such as drip, of those that flows are put through
    #[arg(long, value_name = "NAME", value_parser = fault)]
    fault: Option<Fault>,
    /// Runs what changes nothing against the real service, with credentials from the environment; of
    /// Moov it ends the token that it made
    #[arg(long, value_name = "SERVICE", conflicts_with_all = ["provider", "case", "list", "json", "junit", "html", "write_docs", "seed", "fault"])]
    pub(crate) live: Option<live::Live>,
    /// Runs a client or a server that is not ours against the other side of ours; installs it first
    #[arg(long, value_name = "PEER", conflicts_with_all = ["provider", "case", "list", "json", "junit", "html", "write_docs", "fault", "live"])]
    pub(crate) peer: Option<peer::Peer>,
}

fn fault(name: &str) -> Result<Fault, String> {
    Fault::named(name).ok_or_else(|| {
        let names: Vec<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        format!("there are {}", names.join(", "))
    })
}

/// A seed that nobody chose.
fn any_seed() -> Seed {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.subsec_nanos());
    Seed::new(u64::from(nanos))
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.write_docs {
        return docs::write();
    }
    let seed = arguments.seed.unwrap_or_else(any_seed);
    let mut run = Run::new(choose(&arguments.provider)?).seed(seed);
    if arguments.list {
        return show(&list(&run, &Catalogue::load()?)?);
    }
    if let Some(id) = &arguments.case {
        run = run.only(id);
    }
    if let Some(fault) = arguments.fault {
        run = run.fault(fault);
    }
    // What is asked of all targets together can only be asked when all are there.
    let unclaimed = match arguments.provider.is_empty() && arguments.case.is_none() {
        true => run.unclaimed()?,
        false => Vec::new(),
    };
    let total = run.len()?;
    // Before the run: a path that cannot be written should not cost one.
    let files = [&arguments.json, &arguments.junit, &arguments.html];
    let [json_file, junit_file, html_file] = files.map(Results::at);
    let (json_file, junit_file, html_file) = (json_file?, junit_file?, html_file?);
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    // The template is a constant of this program; without it the bar looks plainer.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    said::keep_panics();
    said::keep_log()?;
    let report = runtime.block_on(run.start(|event| {
        bar.set_message(event.id);
        bar.inc(1);
    }))?;
    bar.finish_and_clear();
    // First: whoever looks into what the checks below find wants the same run again.
    show(&format!("--seed {seed}\n"))?;
    let matrix = matrix(&report);
    said::check_panics(&report.secrets)?;
    let lines = said::check_log(&report.secrets)?;
    said::check(&report.secrets, "the matrix", &matrix)?;
    let secrets = report.secrets.clone();
    let wishes = env::var_os("NO_COLOR");
    show(&if colours(io::stdout().is_terminal(), wishes.as_deref()) {
        matrix_in_colour(&report)
    } else {
        matrix
    })?;
    show(&format!(
        "no secret of {} in {lines} lines of log at TRACE, nor in anything else that is said\n",
        report.secrets.len()
    ))?;
    let checked = |what, text: Result<String, String>| {
        let text = text?;
        said::check(&secrets, what, &text).map(|()| text)
    };
    write(json_file, || {
        checked("the JSON", Ok(format!("{:#}\n", json(&report))))
    })?;
    write(junit_file, || checked("the XML", junit(&report)))?;
    write(html_file, || checked("the page", html(&report)))?;
    let owed: Vec<_> = report
        .catalogue
        .rows()
        .filter(|row| {
            row.absent
                .as_ref()
                .is_some_and(|why| why.starts_with("owed"))
        })
        .map(|row| row.id.as_str())
        .collect();
    if !owed.is_empty() && arguments.case.is_none() {
        show(&format!(
            "{} rows are owed a case: --list names them\n",
            owed.len()
        ))?;
    }
    if !unclaimed.is_empty() {
        return Err(unclaimed.join("\nerror: "));
    }
    match report.counts() {
        (_, 0, _) => Ok(()),
        (_, failed, _) => Err(format!("{failed} failed")),
    }
}

/// A file of results, which is there under its name only when it is whole.
struct Results<'a> {
    path: &'a Path,
    partial: PathBuf,
    file: File,
}

impl<'a> Results<'a> {
    fn at(path: &'a Option<PathBuf>) -> Result<Option<Self>, String> {
        let Some(path) = path else { return Ok(None) };
        // What is no file, such as /dev/stdout, has no other beside it.
        let special = fs::metadata(path).is_ok_and(|there| !there.is_file());
        let mut partial = path.clone().into_os_string();
        partial.push(if special { "" } else { ".partial" });
        let partial = PathBuf::from(partial);
        let file = File::create(&partial);
        let file = file.map_err(|error| format!("{}: {error}", partial.display()))?;
        Ok(Some(Self {
            path,
            partial,
            file,
        }))
    }
}

impl Drop for Results<'_> {
    fn drop(&mut self) {
        if self.partial != self.path {
            // It is gone where it got its name.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn write(
    file: Option<Results<'_>>,
    results: impl FnOnce() -> Result<String, String>,
) -> Result<(), String> {
    let Some(mut file) = file else { return Ok(()) };
    file.file
        .write_all(results()?.as_bytes())
        .and_then(|()| match file.partial == file.path {
            true => Ok(()),
            false => fs::rename(&file.partial, file.path),
        })
        .map_err(|error| format!("{}: {error}", file.path.display()))
}

/// On a terminal, unless the user wants none (<https://no-color.org>).
fn colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

fn choose(names: &[String]) -> Result<Vec<Arc<dyn Target>>, String> {
    let all = targets::all();
    for name in names {
        if !all.iter().any(|target| target.name() == name) {
            let known: Vec<_> = all.iter().map(|target| target.name()).collect();
            return Err(format!(
                "there is no provider {name}; there are {}",
                known.join(", ")
            ));
        }
    }
    Ok(all
        .into_iter()
        .filter(|target| names.is_empty() || names.iter().any(|name| name == target.name()))
        .collect())
}

/// Prints to standard output; whoever reads only the first lines has what they want.
fn show(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// Every row, its level, and the targets that have a case for it; in parentheses those that skip
/// it, with the reason those where it is expected to fail.
fn list(run: &Run, catalogue: &Catalogue) -> Result<String, String> {
    let planned = run.planned()?;
    let mut text = String::new();
    let (mut claimed, mut tested) = (0, 0);
    for row in catalogue.rows() {
        let on: Vec<_> = planned
            .iter()
            .filter(|planned| planned.id == row.id)
            .collect();
        let proven = on.iter().any(|planned| planned.proves());
        claimed += usize::from(proven);
        tested += usize::from(!proven && !row.tests.is_empty());
        let on: Vec<_> = on.iter().map(ToString::to_string).collect();
        let on = match &row.absent {
            _ if !on.is_empty() => on.join(" "),
            _ if !row.tests.is_empty() => "cargo xtask test".to_owned(),
            Some(reason) => format!("absent: {reason}"),
            None => "-".to_owned(),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{:<8}{:<8}{:<45.45} {on}",
            row.id,
            row.level.to_string(),
            row.title
        );
    }
    let _ = writeln!(
        text,
        "{claimed} of {} rows have a case, {tested} others a test that `cargo xtask test` runs",
        catalogue.rows().len()
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn there_are_colours_on_a_terminal_whose_user_wants_them() {
        assert!(colours(true, None) && colours(true, Some(OsStr::new(""))));
        assert!(!colours(true, Some(OsStr::new("1"))));
        assert!(!colours(false, None));
    }

    #[test]
    fn results_are_whole_or_not_there() {
        let folder = env::temp_dir().join(format!("oauth-results-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = Some(folder.join("results.json"));
        let there = || fs::read_dir(&folder).unwrap().count();
        let file = Results::at(&path).unwrap();
        assert!(write(file, || Err("a secret".to_owned())).is_err());
        assert_eq!(there(), 0);
        let file = Results::at(&path).unwrap();
        write(file, || Ok("whole".to_owned())).unwrap();
        let text = fs::read_to_string(folder.join("results.json")).unwrap();
        assert_eq!((text.as_str(), there()), ("whole", 1));
        assert!(Results::at(&Some(folder.join("no/such/folder"))).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_row_is_without_a_case_and_nothing_is_expected_in_vain() {
        let wrong = Run::new(targets::all()).unclaimed().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn every_test_that_a_row_names_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let catalogue = Catalogue::load().unwrap();
        let mut files = BTreeMap::new();
        for (row, test) in catalogue
            .rows()
            .flat_map(|row| row.tests.iter().map(move |test| (row, test)))
        {
            let (file, name) = test.split_once("::").unwrap();
            let text = files
                .entry(file)
                .or_insert_with(|| std::fs::read_to_string(root.join(file)).unwrap_or_default());
            assert!(
                text.contains(&format!("fn {name}(")),
                "{} names {test}, which is not there",
                row.id
            );
        }
        assert!(!files.is_empty());
    }
}
