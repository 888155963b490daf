//! Which device computes.

use std::sync::Arc;

use crate::cli::DeviceArg;
use crate::kernels::Level;
use crate::wavenet::fused::Fused;
use crate::wavenet::parameters::Table;
use crate::wavenet::{Compute, ComputeError};

/// Opens the device that was asked for. `auto` takes the first CUDA device where there is one, else the CPU.
///
/// # Errors
/// [`ComputeError`] if it is not there, or this build cannot use it.
pub fn open(device: DeviceArg, table: &Arc<Table>, threads: usize) -> Result<Box<dyn Compute>, ComputeError> {
    let cpu =
        || -> Result<Box<dyn Compute>, ComputeError> { Ok(Box::new(Fused::new(table, Level::detect(), threads)?)) };
    match device {
        DeviceArg::Cpu => cpu(),
        DeviceArg::Auto => match cuda::count() {
            Ok(count) if count > 0 => match cuda::compiler() {
                Ok(()) => cuda::open(table, 0),
                Err(reason) => {
                    eprintln!("cuda:0 is there but cannot be used: {reason}. Training on the CPU");
                    cpu()
                }
            },
            _ => cpu(),
        },
        DeviceArg::Cuda(index) => {
            let failed = |reason| ComputeError::Device { device: format!("cuda:{index}"), reason };
            match cuda::count().map_err(failed)? {
                0 => Err(failed("the driver knows no CUDA device; use --device cpu".into())),
                count if index >= count => Err(failed(format!("there are only {count} CUDA devices, numbered from 0"))),
                _ => {
                    cuda::compiler().map_err(failed)?;
                    cuda::open(table, index)
                }
            }
        }
    }
}

/// CUDA through Burn; the driver is asked first, because Burn panics where there is none.
#[cfg(feature = "cuda")]
mod cuda {
    use std::ffi::c_int;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use burn::backend::cuda::CudaDevice;
    use burn::backend::{Autodiff, Cuda};
    use cudarc::driver::{result, sys};

    use crate::wavenet::network::Network;
    use crate::wavenet::parameters::Table;
    use crate::wavenet::{Compute, ComputeError};

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

    /// Opens a device that exists.
    pub fn open(table: &Arc<Table>, index: usize) -> Result<Box<dyn Compute>, ComputeError> {
        let number = c_int::try_from(index).unwrap_or(c_int::MAX);
        let model = result::device::get(number)
            .and_then(result::device::get_name)
            .map_err(|error| ComputeError::Device { device: format!("cuda:{index}"), reason: error.to_string() })?;
        let name = format!("cuda:{index}, {model}");
        let network = Network::<Autodiff<Cuda>>::new(table, CudaDevice::new(index), name);
        Ok(Box::new(Guarded(network)))
    }

    /// Burn's CUDA runtime panics when memory runs out or a kernel does not compile; here that becomes an error.
    struct Guarded<C>(C);

    impl<C: Compute> Guarded<C> {
        fn guard<T>(&mut self, f: impl FnOnce(&mut C) -> Result<T, ComputeError>) -> Result<T, ComputeError> {
            let compute = &mut self.0;
            catch_unwind(AssertUnwindSafe(|| f(compute))).unwrap_or_else(|panic| {
                let said = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("the CUDA runtime failed");
                Err(ComputeError::Device {
                    device: self.0.device(),
                    reason: format!(
                        "{said}. Check that the CUDA toolkit's headers and NVRTC are installed; if memory ran out, set a \
                         smaller batch or chunk_frames"
                    ),
                })
            })
        }
    }

    impl<C: Compute> Compute for Guarded<C> {
        fn device(&self) -> String {
            self.0.device()
        }

        fn penalise_logits(&mut self, weight: f64) {
            self.0.penalise_logits(weight);
        }

        fn gradient(&mut self, values: &[f32], batch: &[Vec<u16>], gradient: &mut [f32]) -> Result<f64, ComputeError> {
            self.guard(|compute| compute.gradient(values, batch, gradient))
        }

        fn loss(&mut self, values: &[f32], batch: &[Vec<u16>]) -> Result<f64, ComputeError> {
            self.guard(|compute| compute.loss(values, batch))
        }

        fn logits(&mut self, values: &[f32], codes: &[u16]) -> Result<Vec<f32>, ComputeError> {
            self.guard(|compute| compute.logits(values, codes))
        }
    }
}

/// A build without CUDA.
#[cfg(not(feature = "cuda"))]
mod cuda {
    use std::sync::Arc;

    use crate::wavenet::parameters::Table;
    use crate::wavenet::{Compute, ComputeError};

    /// Why there are no devices.
    pub fn count() -> Result<usize, String> {
        Err("this program was built without CUDA; use --device cpu, or build it with the feature `cuda`".into())
    }

    /// Never asked: there are no devices.
    pub fn compiler() -> Result<(), String> {
        count().map(drop)
    }

    /// Never finds one.
    pub fn open(_: &Arc<Table>, index: usize) -> Result<Box<dyn Compute>, ComputeError> {
        Err(ComputeError::Device { device: format!("cuda:{index}"), reason: "not in this build".into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use continuo_package::family::wavenet::WaveNetShape;

    #[test]
    fn a_device_that_is_not_there_is_an_error_and_auto_finds_one_that_is() {
        let shape = WaveNetShape {
            levels: 16,
            dilations: vec![1],
            filter_width: 2,
            residual_channels: 2,
            dilation_channels: 2,
            skip_channels: 2,
            end_channels: 2,
            biases: true,
        };
        let table = Arc::new(Table::new(&shape));
        // No machine has so many: with a driver the number is refused, without one its absence is said.
        let error = open(DeviceArg::Cuda(4096), &table, 1).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("cuda:4096: "), "{error}");
        assert!(open(DeviceArg::Auto, &table, 1).is_ok());
        assert!(open(DeviceArg::Cpu, &table, 1).is_ok_and(|compute| compute.device().starts_with("CPU, 1 threads")));
    }
}
