//! `postoffice check`: examines scripts without running them.

use super::init::source_of;
use super::output::print;
use crate::api::catalog::Interface;
use crate::api::{Setup, attach};
use crate::host::{Host, Options};
use std::path::PathBuf;

/// Prints the problems of each script. Returns exit code 1 if there are any.
pub(super) fn check(files: &[PathBuf]) -> Result<i32, String> {
    let mut code = 0;
    for file in files {
        let source = source_of(file)?;
        let mut host = Host::new(Options::default());
        let state = attach(&mut host, &Setup::default());
        for report in host.check(&source, &file.display().to_string(), &Interface) {
            code = 1;
            print(&format!("{report}\n")).map_err(|error| error.to_string())?;
        }
        state.close_all();
    }
    Ok(code)
}
