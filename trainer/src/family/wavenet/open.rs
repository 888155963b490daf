//! Which device computes a WaveNet.

use std::sync::Arc;

use super::compute::{Compute, ComputeError};
use super::fused::Fused;
use super::parameters::Table;
use crate::device::{Device, cores};
use crate::kernels::Level;

/// One in so many bytes that are free on a CUDA device may hold the dataset.
#[cfg(feature = "cuda")]
const SHARE_FOR_DATA: u64 = 4;
/// Bytes of another GPU that may hold the dataset; such a device does not tell what is free.
#[cfg(feature = "gpu")]
const ROOM_FOR_DATA: u64 = 1 << 30;

/// Opens the passes of a device for the tensors of `table`. On the CPU they run on this process's share of `threads`
/// threads (0 = one per core).
///
/// # Errors
/// [`ComputeError`] if the device cannot be used, or this build cannot use it.
pub fn open(device: &Device, table: &Arc<Table>, threads: usize) -> Result<Box<dyn Compute>, ComputeError> {
    match device {
        Device::Cpu => Ok(Box::new(Fused::new(table, Level::detect(), cores::threads(threads))?)),
        Device::Cuda { index, name } => cuda(table, *index, name),
        Device::Gpu { index, name } => gpu(table, *index, name),
    }
}

/// CUDA through Burn.
#[cfg(feature = "cuda")]
#[allow(clippy::unnecessary_wraps)] // A build without CUDA has to refuse.
fn cuda(table: &Arc<Table>, index: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    use burn::backend::cuda::CudaDevice;
    use burn::backend::{Autodiff, Cuda};

    use super::guarded::Guarded;
    use super::network::Network;

    let room = crate::device::cuda::memory_free(index).unwrap_or(0) / SHARE_FOR_DATA;
    let network = Network::<Autodiff<Cuda>>::new(table, CudaDevice::new(index), name.to_owned()).with_room(room);
    Ok(Box::new(Guarded::new(network, &table.shape)))
}

/// Never asked: such a build finds no CUDA device.
#[cfg(not(feature = "cuda"))]
fn cuda(_: &Arc<Table>, _: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    Err(ComputeError::Device { device: name.to_owned(), reason: "not in this build".into() })
}

/// Any GPU through Burn.
#[cfg(feature = "gpu")]
fn gpu(table: &Arc<Table>, index: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    use burn::backend::{Autodiff, Wgpu};

    use super::guarded::Guarded;
    use super::network::Network;
    use crate::device::wgpu;

    let device = wgpu::opened(index)
        .ok_or_else(|| ComputeError::Device { device: name.to_owned(), reason: "it is not open".into() })?;
    let network = Network::<Autodiff<Wgpu>>::new(table, device, name.to_owned()).in_products().with_room(ROOM_FOR_DATA);
    Ok(Box::new(Guarded::new(network, &table.shape)))
}

/// Never asked: such a build finds no GPU.
#[cfg(not(feature = "gpu"))]
fn gpu(_: &Arc<Table>, _: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    Err(ComputeError::Device { device: name.to_owned(), reason: "not in this build".into() })
}
