//! `cargo xtask fetch-runtime`: ONNX Runtime through the ordinary Python package client.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use continuo_bundler::Platform;
use continuo_bundler::runtime::{PYTHON_VERSION, RuntimeFiles, VERSION, Wheel, extract};

use crate::exec::run;
use crate::require::{self, Need};
use crate::workspace::Workspace;

/// Makes sure that ONNX Runtime for `platform` lies in the cache, and returns where.
///
/// What is there and verified is not fetched again, and a wheel that was downloaded before is unpacked again.
pub fn fetch(workspace: &Workspace, platform: Platform) -> Result<RuntimeFiles> {
    let wheel = Wheel::of(platform)?;
    let folder = workspace.runtime_folder();
    let files = RuntimeFiles::in_folder(&folder, platform);
    if files.are_current(&wheel) {
        return Ok(files);
    }
    let downloads = workspace.cache().join("downloads");
    let path = downloads.join(wheel.file_name());
    if wheel.verify(&path).is_err() {
        require::check(&[Need::Python, Need::Pip])?;
        fs::create_dir_all(&downloads)
            .with_context(|| format!("cannot create the cache folder {}", downloads.display()))?;
        let abi = format!("cp{}", PYTHON_VERSION.replace('.', ""));
        let mut pip = Command::new(require::python_name());
        pip.args(["-m", "pip", "download", &format!("onnxruntime=={VERSION}"), "--no-deps", "--only-binary=:all:"]);
        pip.args([
            "--platform",
            wheel.tag,
            "--python-version",
            PYTHON_VERSION,
            "--implementation",
            "cp",
            "--abi",
            &abi,
        ]);
        pip.args(["--disable-pip-version-check", "--no-input", "--quiet", "--dest"]).arg(&downloads);
        run(&mut pip, "Check the network and the package index that pip uses")?;
    }
    Ok(extract(&wheel, &path, &folder, platform)?)
}
