//! What tests of real databases share: servers of each major, databases, and outsiders that judge.
//!
//! - `place`: where servers keep their files;
//! - `server`: the majors that are tested, a server of one of them, psql and pg_dump against it;
//! - `database`: a database that goes when it is dropped, its rows, plans for it;
//! - `compiled`: the lock that comes out of one way to compile;
//! - `dump`: what pg_dump says, made comparable;
//! - `subject`: databases that agree with their declarations, and what drift says of them.

#![allow(dead_code)]

pub mod compiled;
pub mod database;
pub mod dump;
pub mod generate;
pub mod place;
pub mod server;
pub mod stage;
pub mod subject;
