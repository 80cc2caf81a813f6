//! The golden cases: each directory under `tests/cases/<kind>/` goes through the whole loop on a real server
//! of every major that is tested.
//!
//! A case holds `before.sql`, the live state with rows, and `schema.yaml`, the declaration; perhaps
//! `surroundings.sql`, what others own and nothing may change, `after.sql`, which builds the declared state directly, and `expect.yaml`: see [`expect::Expect`]. What
//! is tested of each is in `stages`. `CASE=text` runs only cases whose name holds the text.

#[path = "cases/harness/mod.rs"]
mod harness;
mod support;

use harness::{all, run_all};

#[test]
fn every_case_goes_through_the_whole_loop() {
    let cases = all();
    assert!(!cases.is_empty(), "no case of that name");
    let failures = run_all(&cases);
    assert!(failures.is_empty(), "\n{}\n{} of {} cases failed", failures.join("\n"), failures.len(), cases.len());
}
