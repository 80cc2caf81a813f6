//! The program: parse, run, print, exit code.

use clap::Parser;
use pgplumb::cli::{run, Cli, Outcome};
use pgplumb::compile::server;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; what is wrong in the command line could not tell anything.
            let code = if error.use_stderr() { 1 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let result = run(cli);
    server::stop_all();
    match result {
        Ok(Outcome::Agreement) => ExitCode::SUCCESS,
        Ok(Outcome::Differences) => ExitCode::from(2),
        Ok(Outcome::Undecided) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", pgplumb::report::lines(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}
