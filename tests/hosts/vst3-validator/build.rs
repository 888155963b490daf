//! Compiles the SDK's hosting and test sources and the driver into this program.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    let sdk = sdk()?;
    let mut sources = vec![PathBuf::from("src/driver.cpp"), PathBuf::from("src/shipped.cpp")];
    let hosting = sdk.join("public.sdk/source/vst");
    for folder in ["bus", "general", "noteexpression", "processing", "state", "unit", ""] {
        sources.extend(cpp_files(&hosting.join("testsuite").join(folder))?);
    }
    for folder in ["base/source", "base/thread/source", "pluginterfaces/base"] {
        sources.extend(cpp_files(&sdk.join(folder))?);
    }
    let system = match std::env::var("CARGO_CFG_TARGET_OS")?.as_str() {
        "linux" => "module_linux.cpp",
        other => return Err(format!("the VST3 validator is built on Linux only, not on {other}").into()),
    };
    for file in [
        "hosting/connectionproxy.cpp",
        "hosting/eventlist.cpp",
        "hosting/hostclasses.cpp",
        "hosting/module.cpp",
        "hosting/parameterchanges.cpp",
        "hosting/pluginterfacesupport.cpp",
        "hosting/plugprovider.cpp",
        "hosting/processdata.cpp",
        "moduleinfo/moduleinfoparser.cpp",
        "utility/stringconvert.cpp",
        "utility/testing.cpp",
        "vstinitiids.cpp",
        "vstpresetfile.cpp",
        "../common/commoniids.cpp",
        "../common/commonstringconvert.cpp",
        "../common/memorystream.cpp",
        "../common/readfile.cpp",
        "../common/threadchecker_linux.cpp",
    ] {
        sources.push(hosting.join(file));
    }
    sources.push(hosting.join("hosting").join(system));
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .include(&sdk)
        .define("RELEASE", "1")
        .warnings(false)
        .files(sources)
        .try_compile("vst3validator")?;
    println!("cargo:rustc-link-lib=dl");
    println!("cargo:rustc-link-lib=pthread");
    Ok(())
}

/// The SDK inside the sources of `clap-wrapper`.
fn sdk() -> Result<PathBuf, Box<dyn Error>> {
    let metadata = cargo_metadata::MetadataCommand::new().other_options(["--locked".to_owned()]).exec()?;
    let wrapper = metadata.packages.iter().find(|package| package.name.as_str() == "clap-wrapper");
    let manifest = &wrapper.ok_or("clap-wrapper is not among the dependencies")?.manifest_path;
    Ok(manifest.as_std_path().with_file_name("external").join("vst3sdk"))
}

fn cpp_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cpp"));
    files.sort();
    Ok(files)
}
