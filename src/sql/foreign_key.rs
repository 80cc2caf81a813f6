//! A foreign key's line taken apart: `(a, b) references t (x, y) on delete cascade`.

use super::fragment::{Fragment, Mistake, Shape};
use super::parser;
use pg_query::protobuf::{AlterTableCmd, Constraint, Node};
use pg_query::NodeEnum;

/// What a line says. Names are as stored; a table without a schema is one that the search path finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub columns: Vec<String>,
    pub schema: Option<String>,
    pub table: String,
    /// Empty if the line leaves them to the primary key.
    pub targets: Vec<String>,
    pub match_full: bool,
    /// The letter of `pg_constraint.confupdtype`.
    pub on_update: String,
    /// The letter of `pg_constraint.confdeltype`.
    pub on_delete: String,
    /// The columns of SET NULL (a, b).
    pub set_columns: Vec<String>,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub not_valid: bool,
    pub not_enforced: bool,
    pub period: bool,
}

/// Takes a line apart. Errors: what does not parse or is no foreign key.
pub fn split(text: &str) -> Result<Line, Mistake> {
    let fragment = Fragment::new(Shape::ForeignKey, text);
    fragment.check()?;
    let wrong = || Mistake { offset: 0, message: "not a foreign key".to_owned() };
    let constraint = constraint(&fragment.statement().0).ok_or_else(wrong)?;
    let target = constraint.pktable.ok_or_else(wrong)?;
    Ok(Line {
        columns: names(&constraint.fk_attrs),
        schema: (!target.schemaname.is_empty()).then_some(target.schemaname),
        table: target.relname,
        targets: names(&constraint.pk_attrs),
        match_full: constraint.fk_matchtype == "f",
        on_update: constraint.fk_upd_action,
        on_delete: constraint.fk_del_action,
        set_columns: names(&constraint.fk_del_set_cols),
        deferrable: constraint.deferrable,
        initially_deferred: constraint.initdeferred,
        not_valid: constraint.skip_validation && constraint.is_enforced,
        not_enforced: !constraint.is_enforced,
        period: constraint.fk_with_period,
    })
}

fn constraint(statement: &str) -> Option<Constraint> {
    let NodeEnum::AlterTableStmt(alter) = parser::statement(statement)? else { return None };
    let NodeEnum::AlterTableCmd(command) = alter.cmds.into_iter().next()?.node? else { return None };
    let AlterTableCmd { def, .. } = *command;
    match def?.node? {
        NodeEnum::Constraint(constraint) => Some(*constraint),
        _ => None,
    }
}

fn names(nodes: &[Node]) -> Vec<String> {
    let name = |node: &Node| match &node.node {
        Some(NodeEnum::String(s)) => Some(s.sval.clone()),
        _ => None,
    };
    nodes.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_apart() -> Result<(), Mistake> {
        let line = split("(a, \"B\") references app.t (x, y) match full on delete set null (a) deferrable initially deferred not valid")?;
        let wanted = Line {
            columns: vec!["a".into(), "B".into()],
            schema: Some("app".into()),
            table: "t".into(),
            targets: vec!["x".into(), "y".into()],
            match_full: true,
            on_update: "a".into(),
            on_delete: "n".into(),
            set_columns: vec!["a".into()],
            deferrable: true,
            initially_deferred: true,
            not_valid: true,
            ..Line::default()
        };
        assert_eq!(line, wanted);
        let line = split("(a) references t on update cascade")?;
        assert_eq!((line.schema, line.targets.len(), line.on_update.as_str(), line.not_valid), (None, 0, "c", false));
        assert!(split("(a) references t; drop table t").is_err());
        Ok(())
    }
}
