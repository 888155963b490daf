//! Finding the device that was asked for.

use super::adapter::{Adapter, hardware, list};
use super::{cuda, wgpu};
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
    /// A GPU through Vulkan, Metal or `DirectX` 12; it is open.
    Gpu {
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
    /// What it is, in words.
    pub fn name(&self) -> &str {
        match self {
            Self::Cpu => "the CPU",
            Self::Cuda { name, .. } | Self::Gpu { name, .. } => name,
        }
    }

    /// Bytes of the device's own memory that are in use; `None` if it has none or does not say. CUDA tells what all programs
    /// use, the others what this one has reserved.
    pub fn memory_in_use(&self) -> Option<u64> {
        match self {
            Self::Cpu => None,
            Self::Cuda { index, .. } => cuda::memory_in_use(*index),
            Self::Gpu { index, .. } => wgpu::memory_in_use(*index),
        }
    }

    /// Finds the device that was asked for. `auto` takes the first CUDA device that can be used, else the first GPU that is
    /// hardware, else the CPU, and says on the terminal which and why.
    ///
    /// # Errors
    /// [`DeviceError`] if it is not there, or this build cannot use it.
    pub fn find(device: DeviceArg) -> Result<Self, DeviceError> {
        match device {
            DeviceArg::Cpu => Ok(Self::Cpu),
            DeviceArg::Auto => {
                let (device, why) = best();
                eprintln!("device: {} ({why})", device.name());
                Ok(device)
            }
            DeviceArg::Cuda(index) => cuda(index).map_err(|reason| DeviceError {
                device: format!("cuda:{index}"),
                reason: format!("{reason}. Mend that, or use --device gpu for any GPU or --device cpu"),
            }),
            DeviceArg::Gpu(index) => {
                let found = wgpu::adapters().and_then(|adapters| gpu(index, &adapters));
                found.map_err(|reason| DeviceError {
                    device: format!("gpu:{index}"),
                    reason: format!("{reason}. Mend that, or use --device cpu"),
                })
            }
        }
    }
}

/// What `auto` takes, and why.
fn best() -> (Device, String) {
    let no_cuda = match cuda(0) {
        Ok(device) => return (device, "auto takes CUDA where it is".into()),
        Err(reason) => reason,
    };
    let adapters = match wgpu::adapters() {
        Ok(adapters) => adapters,
        Err(reason) => return (Device::Cpu, format!("no CUDA: {no_cuda}; no other GPU: {reason}")),
    };
    let Some(index) = hardware(&adapters) else {
        let software = if adapters.is_empty() {
            "none answers".to_owned()
        } else {
            format!("only software, which is slower than the CPU and only taken by its number: {}", list(&adapters))
        };
        return (Device::Cpu, format!("no CUDA: {no_cuda}; no GPU through {}: {software}", wgpu::APIS));
    };
    match gpu(index, &adapters) {
        Ok(device) => (device, format!("no CUDA: {no_cuda}; `bench` tells whether it is faster than --device cpu")),
        Err(reason) => (Device::Cpu, format!("no CUDA: {no_cuda}; {reason}")),
    }
}

/// A CUDA device that can be used.
fn cuda(index: usize) -> Result<Device, String> {
    match cuda::count()? {
        0 => Err("the driver knows no CUDA device".into()),
        count if index >= count => Err(format!("there are only {count} CUDA devices, numbered from 0")),
        _ => {
            cuda::compiler()?;
            Ok(Device::Cuda { index, name: format!("cuda:{index}, {}", cuda::name(index)?) })
        }
    }
}

/// A GPU of these, opened.
fn gpu(index: usize, adapters: &[Adapter]) -> Result<Device, String> {
    let Some(adapter) = adapters.get(index) else {
        return Err(match adapters {
            [] => format!("no GPU answers through {}; its driver may not be installed", wgpu::APIS),
            _ => format!("there is no GPU of that number, only {}", list(adapters)),
        });
    };
    wgpu::open(index).map_err(|reason| format!("{adapter} does not start: {reason}"))?;
    Ok(Device::Gpu { index, name: format!("gpu:{index}, {adapter}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_an_error_and_auto_finds_one_that_is() {
        // No machine has so many: with a driver the number is refused, without one its absence is said.
        for (device, name) in [(DeviceArg::Cuda(4096), "cuda:4096: "), (DeviceArg::Gpu(4096), "gpu:4096: ")] {
            let error = Device::find(device).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(name) && error.contains("--device cpu"), "{error}");
        }
        assert!(Device::find(DeviceArg::Auto).is_ok());
        assert_eq!(Device::find(DeviceArg::Cpu), Ok(Device::Cpu));
    }

    #[test]
    fn auto_never_takes_software() {
        let (device, why) = best();
        assert!(!device.name().contains("software") && !why.is_empty(), "{device:?}: {why}");
    }
}
