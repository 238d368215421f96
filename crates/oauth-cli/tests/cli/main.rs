//! The built program against emulators and servers in processes of their own.

mod answers;
mod commands;
mod login;
mod processes;
mod program;
mod readme;
mod servers;
mod store;
