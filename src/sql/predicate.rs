//! Whether a predicate confines rows to one tenant: the base of what the audit says of policies.
//!
//! A predicate lets a row through in as many ways as it has branches of OR. A branch *holds* if it compares
//! the tenant column of its own table (at the top or, from within a sub-select, by the table's name), or is
//! the declared bypass; it is *indirect* if only another relation's column of that name is compared; else
//! it is *free*. Of AND the best part counts. What mentions the column and still says nothing about whose
//! a row is (`is not null`, `<>`, equal to itself, `is not false`) is free. That an operator or a function
//! compares it well is taken on trust: this reads shapes, it proves nothing.

use super::fragment::{Fragment, Shape};
use super::parser;
use pg_query::protobuf::{
    a_const, AExpr, AExprKind, BoolExprType, BoolTestType, Node, SelectStmt, SubLink, SubLinkType,
};
use pg_query::NodeEnum;
use serde_json::Value;

/// What rows are told apart by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The table that the predicate is about, by its bare name.
    pub table: &'a str,
    pub column: &'a str,
    /// An expression for who may see all.
    pub bypass: Option<&'a str>,
}

/// How far a branch confines rows. Later is looser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    Holds,
    Indirect,
    Free,
}

/// One way through a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub text: String,
    pub hold: Hold,
}

/// The branches of a predicate in their order; None if it does not parse or is too deep to read.
pub fn branches(predicate: &str, subject: &Subject) -> Option<Vec<Branch>> {
    let select = parse(predicate)?;
    let bypass = match subject.bypass {
        Some(text) => parse(text).and_then(|s| value_of(&s).map(|v| disjuncts(v).into_iter().map(shape).collect())),
        None => None,
    };
    let reader = Reader { subject, bypass: bypass.unwrap_or_default() };
    let found = disjuncts(value_of(&select)?).into_iter().map(|branch| Branch {
        text: deparse(&select, branch).unwrap_or_else(|| predicate.to_owned()),
        hold: reader.hold(branch),
    });
    Some(found.collect())
}

fn parse(expression: &str) -> Option<SelectStmt> {
    match parser::statement(&Fragment::new(Shape::Expression, expression).statement().0)? {
        NodeEnum::SelectStmt(select) => Some(*select),
        _ => None,
    }
}

/// The one value that a SELECT without FROM gives.
fn value_of(select: &SelectStmt) -> Option<&Node> {
    match (select.target_list.as_slice(), select.from_clause.as_slice(), &select.where_clause) {
        ([target], [], None) => match &target.node {
            Some(NodeEnum::ResTarget(target)) => target.val.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

/// The value of `(select value)`, which makes the server compute it once per statement and not per row.
fn wrapped(link: &SubLink) -> Option<&Node> {
    match (link.sub_link_type(), &link.subselect.as_ref()?.node) {
        (SubLinkType::ExprSublink, Some(NodeEnum::SelectStmt(select))) => value_of(select),
        _ => None,
    }
}

fn disjuncts(node: &Node) -> Vec<&Node> {
    match &node.node {
        Some(NodeEnum::BoolExpr(of)) if of.boolop() == BoolExprType::OrExpr => {
            of.args.iter().flat_map(disjuncts).collect()
        }
        Some(NodeEnum::SubLink(link)) => wrapped(link).map_or_else(|| vec![node], disjuncts),
        _ => vec![node],
    }
}

fn deparse(around: &SelectStmt, value: &Node) -> Option<String> {
    let mut select = around.clone();
    if let Some(NodeEnum::ResTarget(target)) = &mut select.target_list.first_mut()?.node {
        target.val = Some(Box::new(value.clone()));
    }
    let text = NodeEnum::SelectStmt(Box::new(select)).deparse(pg_query::DeparseOptions::default()).ok()?;
    Some(text.strip_prefix("SELECT ")?.to_owned())
}

/// Whose column an expression mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mention {
    Own,
    Other,
    None,
}

struct Reader<'a> {
    subject: &'a Subject<'a>,
    /// The shapes of the bypass's branches.
    bypass: Vec<Value>,
}

impl Reader<'_> {
    fn hold(&self, node: &Node) -> Hold {
        if !self.bypass.is_empty() && self.bypass.contains(&shape(node)) {
            return Hold::Holds;
        }
        let Some(of) = &node.node else { return Hold::Free };
        let each = |nodes: &[Node]| nodes.iter().map(|n| self.hold(n)).collect::<Vec<_>>();
        let loosest = |holds: Vec<Hold>| holds.into_iter().max().unwrap_or(Hold::Free);
        match of {
            NodeEnum::BoolExpr(of) => match (of.boolop(), of.args.as_slice()) {
                (BoolExprType::AndExpr, args) => each(args).into_iter().min().unwrap_or(Hold::Free),
                (BoolExprType::NotExpr, [arg]) => self.hold_of_not(arg),
                (_, args) => loosest(each(args)),
            },
            NodeEnum::AConst(constant) => match &constant.val {
                // What lets no row through confines them all.
                None => Hold::Holds,
                Some(a_const::Val::Boolval(value)) if !value.boolval => Hold::Holds,
                Some(_) => Hold::Free,
            },
            NodeEnum::TypeCast(cast) => cast.arg.as_deref().map_or(Hold::Free, |arg| self.hold(arg)),
            NodeEnum::SubLink(link) => match (wrapped(link), link.sub_link_type()) {
                (Some(value), _) => self.hold(value),
                (None, SubLinkType::AllSublink) => Hold::Free,
                (None, _) => self.by_mention(node),
            },
            NodeEnum::AExpr(of) => self.hold_of_operator(node, of),
            NodeEnum::BooleanTest(test) => match (test.booltesttype(), test.arg.as_deref()) {
                (BoolTestType::IsTrue, Some(arg)) => self.hold(arg),
                (BoolTestType::IsFalse, Some(arg)) => self.hold_of_not(arg),
                // The others let NULL through: no tenant chosen, every tenant seen.
                _ => Hold::Free,
            },
            NodeEnum::CoalesceExpr(of) => loosest(each(&of.args)),
            NodeEnum::CaseExpr(case) => {
                let whens = case.args.iter().filter_map(|when| match &when.node {
                    Some(NodeEnum::CaseWhen(when)) => Some((when.expr.as_deref()?, when.result.as_deref()?)),
                    _ => None,
                });
                let simple = case.arg.is_some();
                let each = whens.map(|(condition, result)| match simple {
                    true => self.hold(result),
                    false => self.hold(condition).min(self.hold(result)),
                });
                let default = case.defresult.as_deref().map_or(Hold::Holds, |d| self.hold(d));
                each.fold(default, Hold::max)
            }
            NodeEnum::NullTest(_) | NodeEnum::ColumnRef(_) => Hold::Free,
            _ => self.by_mention(node),
        }
    }

    fn hold_of_operator(&self, node: &Node, of: &AExpr) -> Hold {
        // A range holds the rows of many.
        let loose = ["<>", "<", "<=", ">", ">="].contains(&operator(of))
            || matches!(
                of.kind(),
                AExprKind::AexprDistinct
                    | AExprKind::AexprNotBetween
                    | AExprKind::AexprNotBetweenSym
                    | AExprKind::AexprBetween
                    | AExprKind::AexprBetweenSym
            );
        if loose {
            return Hold::Free;
        }
        if let (Some(left), Some(right)) = (&of.lexpr, &of.rexpr) {
            if shape(left) == shape(right) || self.compares_with_itself(left, right) {
                return Hold::Free;
            }
        }
        self.by_mention(node)
    }

    /// Whether both sides are made of what stands in the row: its column on both, or another column of it.
    fn compares_with_itself(&self, left: &Node, right: &Node) -> bool {
        let sides = [left, right].map(|side| serde_json::to_value(side).unwrap_or(Value::Null));
        let own = |side: &Value| self.mention(side, false, false) == Mention::Own && !has_select(side);
        let is_column = |node: &Node| matches!(node.node, Some(NodeEnum::ColumnRef(_)));
        let [a, b] = &sides;
        (own(a) && own(b)) || (own(a) && is_column(right)) || (own(b) && is_column(left))
    }

    fn hold_of_not(&self, node: &Node) -> Hold {
        match &node.node {
            // `is not distinct from` prints as NOT (... IS DISTINCT FROM ...).
            Some(NodeEnum::AExpr(of)) if operator(of) == "<>" || of.kind() == AExprKind::AexprDistinct => {
                self.by_mention(node)
            }
            Some(NodeEnum::AConst(constant)) => match &constant.val {
                Some(a_const::Val::Boolval(value)) if !value.boolval => Hold::Free,
                _ => Hold::Holds,
            },
            Some(NodeEnum::BoolExpr(of)) => match (of.boolop(), of.args.as_slice()) {
                (BoolExprType::NotExpr, [arg]) => self.hold(arg),
                // Not (a or b) is not a and not b.
                (BoolExprType::OrExpr, args) => args.iter().map(|n| self.hold_of_not(n)).min().unwrap_or(Hold::Free),
                (_, args) => args.iter().map(|n| self.hold_of_not(n)).max().unwrap_or(Hold::Free),
            },
            _ => Hold::Free,
        }
    }

    fn by_mention(&self, node: &Node) -> Hold {
        let Ok(tree) = serde_json::to_value(node) else { return Hold::Free };
        match self.mention(&tree, false, false) {
            Mention::Own => Hold::Holds,
            Mention::Other => Hold::Indirect,
            Mention::None => Hold::Free,
        }
    }

    /// `inner`: within a sub-select. `shadowed`: it has a relation that goes by the table's name.
    fn mention(&self, tree: &Value, inner: bool, shadowed: bool) -> Mention {
        match tree {
            Value::Object(map) => {
                if let Some(fields) = map.get("ColumnRef").and_then(|r| r.get("fields")).and_then(Value::as_array) {
                    return self.mention_of(fields, inner, shadowed);
                }
                if let Some(select) = map.get("SelectStmt") {
                    let from = select.get("from_clause").unwrap_or(&Value::Null);
                    let shadowed = shadowed || goes_by(from, self.subject.table);
                    return self.nearest(select.as_object().into_iter().flat_map(|s| s.values()), true, shadowed);
                }
                self.nearest(map.values(), inner, shadowed)
            }
            Value::Array(values) => self.nearest(values.iter(), inner, shadowed),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Mention::None,
        }
    }

    fn nearest<'v>(&self, values: impl Iterator<Item = &'v Value>, inner: bool, shadowed: bool) -> Mention {
        values.map(|v| self.mention(v, inner, shadowed)).min().unwrap_or(Mention::None)
    }

    fn mention_of(&self, fields: &[Value], inner: bool, shadowed: bool) -> Mention {
        let text = |field: &Value| field.pointer("/node/String/sval").and_then(Value::as_str).map(str::to_owned);
        let (last, before) = match fields {
            [.., before, last] => (text(last), text(before)),
            [last] => (text(last), None),
            [] => return Mention::None,
        };
        // A star hands the whole row on.
        let is_column = last.as_deref().is_none_or(|name| name == self.subject.column);
        let is_own = match &before {
            Some(table) => table == self.subject.table && !shadowed,
            None => !inner,
        };
        match (is_column, is_own) {
            (true, true) => Mention::Own,
            (true, false) if last.is_some() => Mention::Other,
            _ => Mention::None,
        }
    }
}

fn has_select(tree: &Value) -> bool {
    match tree {
        Value::Object(map) => map.contains_key("SubLink") || map.values().any(has_select),
        Value::Array(values) => values.iter().any(has_select),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn operator(of: &AExpr) -> &str {
    match of.name.last().map(|n| &n.node) {
        Some(Some(NodeEnum::String(name))) => &name.sval,
        _ => "",
    }
}

/// Whether a relation in a FROM clause goes by a name.
fn goes_by(from: &Value, name: &str) -> bool {
    match from {
        Value::Object(map) => {
            let alias = map.get("alias").and_then(|a| a.get("aliasname")).and_then(Value::as_str);
            let is_it = match (alias, map.get("relname").and_then(Value::as_str)) {
                (Some(alias), _) => alias == name,
                (None, relation) => relation == Some(name),
            };
            is_it || map.values().any(|v| goes_by(v, name))
        }
        Value::Array(values) => values.iter().any(|v| goes_by(v, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The tree without what may differ between an expression as declared and as printed: positions, schemas of
/// functions and tables of columns, casts of constants, `(select value)` around a value.
fn shape(node: &Node) -> Value {
    let mut tree = serde_json::to_value(node).unwrap_or(Value::Null);
    simplify(&mut tree);
    tree
}

fn simplify(tree: &mut Value) {
    if let Some(mut value) = bare(tree).cloned() {
        simplify(&mut value);
        *tree = value;
        return;
    }
    match tree {
        Value::Object(map) => {
            map.retain(|key, _| key != "location" && !key.ends_with("list_start") && !key.ends_with("list_end"));
            for (key, value) in map.iter_mut() {
                if let ("funcname" | "fields", Value::Array(parts)) = (key.as_str(), &mut *value) {
                    parts.drain(..parts.len().saturating_sub(1));
                }
                simplify(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(simplify),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What stands in `(select value)` and in the cast of a constant.
fn bare(tree: &Value) -> Option<&Value> {
    let constant = tree.pointer("/TypeCast/arg/node").filter(|n| n.get("AConst").is_some());
    let select = tree.pointer("/SubLink/subselect/node/SelectStmt").filter(|s| {
        let is_empty = |key: &str| s.get(key).and_then(Value::as_array).is_none_or(Vec::is_empty);
        is_empty("from_clause") && s.get("where_clause").is_none_or(Value::is_null)
    });
    constant.or_else(|| select?.pointer("/target_list/0/node/ResTarget/val/node"))
}

#[cfg(test)]
mod tests {
    use super::{branches, Hold, Subject};

    fn holds(predicate: &str) -> Option<Vec<Hold>> {
        let subject = Subject { table: "orders", column: "tenant_id", bypass: Some("is_superadmin()") };
        Some(branches(predicate, &subject)?.into_iter().map(|b| b.hold).collect())
    }

    #[test]
    fn branches_are_told_apart() {
        use Hold::{Free, Holds, Indirect};
        let cases: &[(&str, &[Hold])] = &[
            ("tenant_id = current_tenant()", &[Holds]),
            ("((tenant_id = app.current_tenant()) OR app.is_superadmin())", &[Holds, Holds]),
            ("tenant_id = current_tenant() or ( SELECT app.is_superadmin() AS is_superadmin)", &[Holds, Holds]),
            ("tenant_id = current_tenant() or is_shared", &[Holds, Free]),
            ("(tenant_id = t() and a) or (b and is_superadmin()) or (b and c)", &[Holds, Holds, Free]),
            ("tenant_id = t() and (a or b)", &[Holds]),
            ("a and (tenant_id = t() or is_shared)", &[Free]),
            ("true", &[Free]),
            ("false", &[Holds]),
            ("tenant_id is not null", &[Free]),
            ("tenant_id = tenant_id", &[Free]),
            ("tenant_id <> t()", &[Free]),
            ("tenant_id >= 0", &[Free]),
            ("tenant_id between 0 and 9", &[Free]),
            ("tenant_id = coalesce(t(), tenant_id)", &[Free]),
            ("coalesce(t(), orders.tenant_id) = tenant_id", &[Free]),
            ("tenant_id = owner_id", &[Free]),
            ("tenant_id = (select m.tenant_id from members m where m.tenant_id = orders.tenant_id)", &[Holds]),
            ("tenant_id::text = current_setting('app.tenant')", &[Holds]),
            ("not (tenant_id is distinct from t())", &[Holds]),
            ("not (tenant_id = t())", &[Free]),
            ("(tenant_id = t()) is not false", &[Free]),
            ("(tenant_id = t()) is true", &[Holds]),
            ("coalesce(tenant_id = t(), false)", &[Holds]),
            ("coalesce(tenant_id = t(), true)", &[Free]),
            ("case when is_superadmin() then true else tenant_id = t() end", &[Holds]),
            ("case when a then true else tenant_id = t() end", &[Free]),
            ("case when tenant_id = t() then true end", &[Holds]),
            ("tenant_id in (select m.tenant_id from members m)", &[Holds]),
            ("tenant_id not in (select m.tenant_id from members m)", &[Free]),
            ("tenant_id = any (array[t()])", &[Holds]),
            ("exists (select from members m where m.tenant_id = orders.tenant_id)", &[Holds]),
            ("exists (select from members m where m.tenant_id = t())", &[Indirect]),
            ("exists (select from members orders where orders.tenant_id = t())", &[Indirect]),
            ("project_id in (select p.id from projects p where p.tenant_id = t())", &[Indirect]),
            ("exists (select from members m where m.user_id = u())", &[Free]),
            ("may_see(tenant_id)", &[Holds]),
            ("may_see(orders.*)", &[Holds]),
            ("may_see(id)", &[Free]),
            ("owner = current_user", &[Free]),
            ("( SELECT (orders.tenant_id = t()))", &[Holds]),
        ];
        for (predicate, wanted) in cases {
            assert_eq!(holds(predicate).as_deref(), Some(*wanted), "{predicate}");
        }
        assert_eq!(holds("a = = b"), None);
    }

    #[test]
    fn a_bypass_may_be_any_expression() {
        let bypass = "coalesce(nullif(current_setting('app.super', true), '')::boolean, false)";
        let printed = "COALESCE((NULLIF(current_setting('app.super'::text, true), ''::text))::boolean, false)";
        let subject = Subject { table: "t", column: "tenant_id", bypass: Some(bypass) };
        let found = branches(&format!("tenant_id = x() or {printed}"), &subject).unwrap_or_default();
        assert_eq!(found.iter().map(|b| b.hold).collect::<Vec<_>>(), [Hold::Holds, Hold::Holds]);
        assert_eq!(found.first().map(|b| b.text.as_str()), Some("tenant_id = x()"));
    }
}
