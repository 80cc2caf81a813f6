//! Rules: one file each, and the registry, the one list of them. Names, help, `--explain` and the reference
//! in docs/audit.md all come from here.

mod cross_tenant_foreign_key;
mod definer_search_path;
mod foreign_key_not_indexed;
mod granted_to_public;
mod invalid_index;
mod materialized_view_of_tenants;
mod no_foreign_key_to_root;
mod no_policy_for_command;
mod not_valid_constraint;
mod nullable_tenant_column;
mod policies_without_effect;
mod policy_without_tenant;
mod row_security_not_forced;
mod tenant_column_missing;
mod tenant_column_not_indexed;
mod tenant_table_without_row_security;
mod unique_across_tenants;
mod view_around_row_security;

use super::facts::Facts;
use super::finding::{Finding, Severity};

/// A rule.
pub struct Rule {
    /// As in `--rule`.
    pub name: &'static str,
    /// Of its gravest findings.
    pub severity: Severity,
    /// Whether it has nothing to say where nobody said who the tenants are.
    pub needs_tenancy: bool,
    /// Why it matters and what to do, in one paragraph.
    pub explanation: &'static str,
    pub check: fn(&Facts, &mut Vec<Finding>),
}

/// All rules, in the order of the reference: isolation first, then integrity, then speed.
pub static RULES: &[&Rule] = &[
    &tenant_table_without_row_security::RULE,
    &policies_without_effect::RULE,
    &policy_without_tenant::RULE,
    &view_around_row_security::RULE,
    &materialized_view_of_tenants::RULE,
    &definer_search_path::RULE,
    &row_security_not_forced::RULE,
    &no_policy_for_command::RULE,
    &granted_to_public::RULE,
    &cross_tenant_foreign_key::RULE,
    &nullable_tenant_column::RULE,
    &no_foreign_key_to_root::RULE,
    &tenant_column_missing::RULE,
    &unique_across_tenants::RULE,
    &not_valid_constraint::RULE,
    &invalid_index::RULE,
    &tenant_column_not_indexed::RULE,
    &foreign_key_not_indexed::RULE,
];

/// The rule of that name.
pub fn find(name: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.name == name)
}

/// The commands that policies are for.
const COMMANDS: [&str; 4] = ["select", "insert", "update", "delete"];
