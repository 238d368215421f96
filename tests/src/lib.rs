//! End-to-end tests across the crates of this workspace, and the README, whose code is run here.
#![doc = include_str!("../../README.md")]
