//! Drift as a JUnit report: each relation, routine and type that was compared is a case, a difference in
//! it is its failure, and what could not be checked is an error.

use super::super::name::split_address;
use super::super::paint::Paint;
use super::super::text::{line, lines};
use super::{human, ordered, DriftSubject};
use crate::drift::{Difference, Drift, Notes, Open};
use crate::model::Address;
use quick_xml::events::BytesText;
use quick_xml::Writer;
use std::collections::BTreeMap;
use std::io;

pub fn text(drift: &Drift, subject: &DriftSubject) -> String {
    let mut bytes = Vec::new();
    // Nothing can fail: it is written to memory.
    let _ = write(drift, subject, &mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.push('\n');
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}")
}

fn write(drift: &Drift, subject: &DriftSubject, into: &mut Vec<u8>) -> io::Result<()> {
    let Drift { differences: _, undecided, things, compared: _, notes } = drift;
    let Notes { not_checked, .. } = notes;
    let mut found: BTreeMap<Address, Vec<&Difference>> = BTreeMap::new();
    for difference in ordered(drift) {
        found.entry(difference.address.thing()).or_default().push(difference);
    }
    let errors = not_checked.len() + undecided.len();
    let (tests, failures) = (things.len() + errors, found.len());
    let name = format!("drift of {} from {}", subject.database, subject.declaration);
    let totals = [("tests", tests), ("failures", failures), ("errors", errors)].map(|(key, n)| (key, n.to_string()));
    let totals = || totals.iter().map(|(key, n)| (*key, n.as_str()));
    let mut xml = Writer::new_with_indent(into, b' ', 2);
    let suites = xml.create_element("testsuites").with_attribute(("name", "pgplumb")).with_attributes(totals());
    suites.write_inner_content(|xml| {
        let suite =
            xml.create_element("testsuite").with_attribute(("name", line(&name).as_ref())).with_attributes(totals());
        suite.write_inner_content(|xml| {
            for thing in things {
                case(xml, thing, found.get(thing).map(Vec::as_slice).unwrap_or_default())?;
            }
            for text in not_checked {
                let test = xml
                    .create_element("testcase")
                    .with_attributes([("classname", "not checked"), ("name", line(text).as_ref())]);
                test.write_inner_content(|xml| {
                    xml.create_element("error").with_attribute(("message", line(text).as_ref())).write_empty()?;
                    Ok(())
                })?;
            }
            for Open { difference, why } in undecided {
                let name = difference.address.to_string();
                let test = xml
                    .create_element("testcase")
                    .with_attributes([("classname", "undecided"), ("name", line(&name).as_ref())]);
                test.write_inner_content(|xml| {
                    let error = xml.create_element("error").with_attribute(("message", line(why).as_ref()));
                    let text = format!("\n{}", human::differences(&[difference], Paint { color: false }));
                    error.write_text_content(BytesText::new(&lines(&text)))?;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

fn case(xml: &mut Writer<&mut Vec<u8>>, thing: &Address, differences: &[&Difference]) -> io::Result<()> {
    let name = thing.to_string();
    let test =
        xml.create_element("testcase").with_attributes([("classname", thing.kind()), ("name", line(&name).as_ref())]);
    if differences.is_empty() {
        test.write_empty()?;
        return Ok(());
    }
    let brief = differences.iter().map(|d| {
        let (thing, below) = split_address(&d.address);
        format!("{} {}", d.change.word(), below.unwrap_or(thing))
    });
    let message = brief.collect::<Vec<_>>().join("; ");
    test.write_inner_content(|xml| {
        let failure =
            xml.create_element("failure").with_attributes([("type", "drift"), ("message", line(&message).as_ref())]);
        let text = format!("\n{}", human::differences(differences, Paint { color: false }));
        failure.write_text_content(BytesText::new(&lines(&text)))?;
        Ok(())
    })?;
    Ok(())
}
