//! `pgplumb audit`.

use super::arguments::{DeclarationArgs, Env, TargetArgs};
use super::Outcome;
use crate::audit::{self, view, Request, Rule, Severity};
use crate::declare::Tenancy;
use crate::engine;
use crate::error::{Error, Result};
use crate::kinds::form::nearest;
use clap::builder::PossibleValue;

/// Say what a DBA wants to know about a database, tenancy first: tables that row security does not protect,
/// policies that let other tenants' rows through, ways around them, missing keys and indexes. Nothing is
/// changed. The declaration says which schemas and who the tenants are; without one, all schemas are read
/// and --tenant-root and --tenant-column say it.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    declaration: DeclarationArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Look at this schema, whatever is declared; may be said more than once.
    #[arg(long, value_name = "SCHEMA", conflicts_with = "declaration")]
    schema: Vec<String>,
    /// The table with one row per tenant; wins over the declaration.
    #[arg(long, value_name = "TABLE", requires = "tenant_column")]
    tenant_root: Option<String>,
    /// The column that says whose a row is.
    #[arg(long, value_name = "COLUMN", requires = "tenant_root")]
    tenant_column: Option<String>,
    /// An expression for who may see all tenants, such as `is_admin()`.
    #[arg(long, value_name = "SQL", requires = "tenant_root")]
    tenant_bypass: Option<String>,
    /// Run only this rule; may be said more than once.
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// Leave lesser findings out.
    #[arg(long, value_enum, default_value = "note")]
    severity: Severity,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: view::Format,
    /// Say what a rule looks for, why it matters and what to do; without a name, list the rules.
    #[arg(long, value_name = "RULE", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    if let Some(name) = &args.explain {
        let text = if name.is_empty() { view::list() } else { view::explain(rule(name)?) };
        env.terminal.print(&text)?;
        return Ok(Outcome::Agreement);
    }
    let rules = args.rule.iter().map(|name| rule(name)).collect::<Result<Vec<_>>>()?;
    let path = args.declaration.path(env);
    // A declaration that was named must be there; the default may be missing.
    let declared = args.declaration.declaration.is_some() || (args.schema.is_empty() && path.exists());
    let declared = declared.then(|| audit::settings(&path)).transpose()?;
    let named = args.tenant_root.clone().zip(args.tenant_column.clone());
    let named = named.map(|(root, column)| Tenancy { root, column, current: None, bypass: args.tenant_bypass.clone() });
    let chosen = (args.schema.clone(), Vec::new(), None);
    let (schemas, ignore, tenancy) = declared.map_or(chosen, |s| (s.schemas, s.ignore, s.tenancy));
    let target = args.target.resolve(env)?;
    let session = engine::open(&target).await?;
    let request = Request { schemas, ignore, tenancy: named.or(tenancy), rules, minimum: args.severity };
    let report = audit::run(&session, request).await?;
    env.terminal.print(&view::report(&report, args.format, env.terminal.color))?;
    Ok(if report.findings.is_empty() { Outcome::Agreement } else { Outcome::Differences })
}

impl clap::ValueEnum for Severity {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Note, Self::Warning, Self::Error]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.meaning()))
    }
}

impl clap::ValueEnum for view::Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Human, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Human => PossibleValue::new("human").help("For a terminal"),
            Self::Json => PossibleValue::new("json").help("For programs"),
        })
    }
}

fn rule(name: &str) -> Result<&'static Rule> {
    audit::find(name).ok_or_else(|| {
        let hint = match nearest(name, audit::RULES.iter().map(|r| r.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`pgplumb audit --explain` lists them".to_owned(),
        };
        Error::new(format!("there is no rule `{name}`")).with_hint(hint)
    })
}
