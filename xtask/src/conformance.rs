//! `cargo xtask conformance`: the suite over the table of targets.

use std::{path::PathBuf, sync::Arc};

use indicatif::{ProgressBar, ProgressStyle};
use oauth_conformance::{Catalogue, Run, Status, Target, cases, json, matrix};

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
    #[arg(long)]
    list: bool,
    /// Writes the results to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let targets = choose(&arguments.provider)?;
    if arguments.list {
        return list(&targets);
    }
    let mut run = Run::new(targets);
    if let Some(id) = &arguments.case {
        run = run.only(id);
    }
    let total = run.len()?;
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    // The template is a constant of this program; without it the bar looks plainer.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let report = runtime.block_on(run.start(|event| {
        bar.set_message(event.id);
        bar.inc(1);
    }))?;
    bar.finish_and_clear();
    print!("{}", matrix(&report));
    if let Some(path) = &arguments.json {
        std::fs::write(path, format!("{:#}\n", json(&report)))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    let unexplained = report
        .events
        .iter()
        .any(|event| matches!(&event.status, Status::Skipped(reason) if reason.is_empty()));
    match report.counts() {
        (_, 0, _) if !unexplained => Ok(()),
        (_, 0, _) => Err("a case was skipped without a reason".to_owned()),
        (_, failed, _) => Err(format!("{failed} failed")),
    }
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

fn list(targets: &[Arc<dyn Target>]) -> Result<(), String> {
    let everywhere: Vec<_> = cases().iter().map(|case| case.id).collect();
    let mut claimed = 0;
    let catalogue = Catalogue::load()?;
    for row in catalogue.rows() {
        let on: Vec<_> = targets
            .iter()
            .filter(|target| {
                everywhere.contains(&row.id.as_str())
                    || target.cases().iter().any(|case| case.id == row.id)
            })
            .map(|target| target.name())
            .collect();
        claimed += usize::from(!on.is_empty());
        let on = if on.is_empty() {
            "-".to_owned()
        } else {
            on.join(" ")
        };
        println!(
            "{:<8}{:<8}{:<45.45} {on}",
            row.id,
            row.level.to_string(),
            row.title
        );
    }
    println!("{claimed} of {} rows have a case", catalogue.rows().len());
    Ok(())
}
