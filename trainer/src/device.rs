//! Which device computes.

use crate::cli::DeviceArg;

/// A device that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// A CUDA device.
    Cuda {
        /// Its number.
        index: usize,
        /// What it is, in words.
        name: String,
    },
}

/// A device that cannot be used, or has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{device}: {reason}")]
pub struct DeviceError {
    /// Which.
    pub device: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Device {
    /// Bytes of the device's own memory that are in use, by whomever; `None` if it has none or does not say.
    pub fn memory_in_use(&self) -> Option<u64> {
        match self {
            Self::Cpu => None,
            Self::Cuda { index, .. } => cuda::memory_in_use(*index),
        }
    }

    /// Finds the device that was asked for. `auto` takes the first CUDA device where there is one, else the CPU.
    ///
    /// # Errors
    /// [`DeviceError`] if it is not there, or this build cannot use it.
    pub fn find(device: DeviceArg) -> Result<Self, DeviceError> {
        match device {
            DeviceArg::Cpu => Ok(Self::Cpu),
            DeviceArg::Auto => match cuda::count() {
                Ok(count) if count > 0 => match cuda::compiler() {
                    Ok(()) => cuda::find(0),
                    Err(reason) => {
                        eprintln!("cuda:0 is there but cannot be used: {reason}. Training on the CPU");
                        Ok(Self::Cpu)
                    }
                },
                _ => Ok(Self::Cpu),
            },
            DeviceArg::Cuda(index) => {
                let failed = |reason| DeviceError { device: format!("cuda:{index}"), reason };
                match cuda::count().map_err(failed)? {
                    0 => Err(failed("the driver knows no CUDA device; use --device cpu".into())),
                    count if index >= count => {
                        Err(failed(format!("there are only {count} CUDA devices, numbered from 0")))
                    }
                    _ => {
                        cuda::compiler().map_err(failed)?;
                        cuda::find(index)
                    }
                }
            }
        }
    }
}

/// CUDA; the driver is asked first, because Burn panics where there is none.
#[cfg(feature = "cuda")]
mod cuda {
    use std::ffi::c_int;

    use cudarc::driver::{result, sys};

    use super::{Device, DeviceError};

    /// Number of CUDA devices, or why there are none.
    pub fn count() -> Result<usize, String> {
        // SAFETY: looks for the driver's library under its own names and loads it; nothing is called.
        if !unsafe { sys::is_culib_present() } {
            return Err("there is no NVIDIA driver on this system; install it, or use --device cpu".into());
        }
        let failed = |error| format!("the NVIDIA driver does not start ({error}); use --device cpu");
        result::init().map_err(failed)?;
        result::device::get_count().map(|count| usize::try_from(count).unwrap_or(0)).map_err(failed)
    }

    /// Whether kernels can be compiled for a device: Burn writes them at run time and has NVRTC compile them.
    pub fn compiler() -> Result<(), String> {
        // SAFETY: looks for NVRTC's library under its own names and loads it; nothing is called.
        if unsafe { cudarc::nvrtc::sys::is_culib_present() } {
            return Ok(());
        }
        Err("NVRTC, the compiler of the CUDA toolkit, is not installed; install the toolkit, or use --device cpu"
            .into())
    }

    /// Bytes of its memory that are in use.
    pub fn memory_in_use(index: usize) -> Option<u64> {
        let (free, total) = cudarc::driver::CudaContext::new(index).and_then(|context| context.mem_get_info()).ok()?;
        Some((total - free) as u64)
    }

    /// A device that exists.
    pub fn find(index: usize) -> Result<Device, DeviceError> {
        let number = c_int::try_from(index).unwrap_or(c_int::MAX);
        let model = result::device::get(number)
            .and_then(result::device::get_name)
            .map_err(|error| DeviceError { device: format!("cuda:{index}"), reason: error.to_string() })?;
        Ok(Device::Cuda { index, name: format!("cuda:{index}, {model}") })
    }
}

/// A build without CUDA.
#[cfg(not(feature = "cuda"))]
mod cuda {
    use super::{Device, DeviceError};

    /// Why there are no devices.
    pub fn count() -> Result<usize, String> {
        Err("this program was built without CUDA; use --device cpu, or build it with the feature `cuda`".into())
    }

    /// Never asked: there are no devices.
    pub fn compiler() -> Result<(), String> {
        count().map(drop)
    }

    /// Never asked: there are no devices.
    pub fn memory_in_use(_: usize) -> Option<u64> {
        None
    }

    /// Never finds one.
    pub fn find(index: usize) -> Result<Device, DeviceError> {
        Err(DeviceError { device: format!("cuda:{index}"), reason: "not in this build".into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_an_error_and_auto_finds_one_that_is() {
        // No machine has so many: with a driver the number is refused, without one its absence is said.
        let error = Device::find(DeviceArg::Cuda(4096)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("cuda:4096: "), "{error}");
        assert!(Device::find(DeviceArg::Auto).is_ok());
        assert_eq!(Device::find(DeviceArg::Cpu), Ok(Device::Cpu));
    }
}
