//! `pgplumb rollback`.

use super::common::Env;
use super::Outcome;
use crate::error::{Error, Result};

/// To be written.
#[derive(clap::Args)]
pub struct Args {}

pub async fn run(_args: &Args, _env: &Env<'_>) -> Result<Outcome> {
    Err(Error::new("not written yet"))
}
