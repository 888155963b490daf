//! `continuo-trainer`: see `continuo-trainer help`.

use std::process::ExitCode;

use clap::Parser as _;
use continuo_trainer::cli::{Cli, Command};
use continuo_trainer::evaluate::command as evaluate;
use continuo_trainer::evaluate::error::EvaluateError;
use continuo_trainer::names::printable_lines;
use continuo_trainer::training::trainer::End;
use continuo_trainer::{audit, bench, check, codes, defaults, export, golden, inspect, plan, prepare, render, train};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // A file's name in it could hold anything.
            eprintln!("error: {}", printable_lines(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    // What a shell expects of a program that Ctrl-C ended.
    let code = |end| if end == End::Interrupted { ExitCode::from(130) } else { ExitCode::SUCCESS };
    match command {
        Command::Prepare(args) => prepare::command(&args)?,
        Command::Audit(args) => audit::run(&args)?,
        Command::Train(args) => return Ok(code(train::run(&args)?)),
        Command::Resume(args) => return Ok(code(train::resume(&args)?)),
        Command::Render(args) => {
            render::run(&args)?;
        }
        Command::Evaluate(args) => match evaluate::run(&args) {
            Err(stopped @ EvaluateError::Stopped) => {
                eprintln!("{stopped}");
                return Ok(code(End::Interrupted));
            }
            result => drop(result?),
        },
        Command::Export(args) => {
            export::run(&args)?;
        }
        Command::Codes(args) => {
            codes::run(&args)?;
        }
        Command::Plan(args) => return Ok(code(plan::run(&args)?)),
        Command::Inspect(args) => print!("{}", inspect::run(&args)?),
        Command::Defaults(args) => defaults::run(&args)?,
        Command::Check(args) => check::run(&args)?,
        Command::Golden(args) => {
            golden::run(&args)?;
        }
        Command::Bench(args) => {
            bench::run(&args)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
