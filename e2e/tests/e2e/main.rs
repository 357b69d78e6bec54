//! End-to-end tests, in one binary so that they link once. To add some: a module beside this file, named here.

mod acceptance;
mod as_new;
mod claim_link;
mod comes_back;
mod contract;
mod demo;
mod device;
mod device_return;
mod device_slips;
mod devices;
#[cfg(target_os = "linux")]
mod faults;
mod handoff;
#[cfg(target_os = "linux")]
mod large;
mod lifecycle;
mod linking;
mod lying_relay;
mod mails;
mod model_stub;
mod nothing_readable;
mod projects;
mod provenance;
mod real_tool;
mod recorder;
#[cfg(target_os = "linux")]
mod restored;
mod script;
mod tampering;
mod teams;
mod tls;
mod tokens;
mod watch;
mod working_on;
