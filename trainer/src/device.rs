//! Which device computes.

use std::sync::Arc;

use crate::cli::DeviceArg;
use crate::kernels::Level;
use crate::wavenet::fused::Fused;
use crate::wavenet::parameters::Table;
use crate::wavenet::{Compute, ComputeError};

/// Opens the device that was asked for.
///
/// # Errors
/// [`ComputeError`] if it is not there, or this build cannot use it.
pub fn open(device: DeviceArg, table: &Arc<Table>, threads: usize) -> Result<Box<dyn Compute>, ComputeError> {
    match device {
        DeviceArg::Auto | DeviceArg::Cpu => Ok(Box::new(Fused::new(table, Level::detect(), threads)?)),
        DeviceArg::Cuda(index) => Err(ComputeError::Device {
            device: format!("cuda:{index}"),
            reason: "this build has no CUDA; use --device cpu".into(),
        }),
    }
}
