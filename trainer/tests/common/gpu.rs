//! The GPU that the tests run on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use continuo_package::family::wavenet::WaveNetShape;
use continuo_trainer::cli::DeviceArg;
use continuo_trainer::device::adapter::Kind;
use continuo_trainer::device::{Device, wgpu};
use continuo_trainer::family::wavenet::Compute;
use continuo_trainer::family::wavenet::fused::Fused;
use continuo_trainer::family::wavenet::open::open;
use continuo_trainer::family::wavenet::parameters::Table;
use continuo_trainer::kernels::Level;

/// The device that the tests run on: in software where there is such an adapter, so that they mean the same everywhere.
pub fn number() -> usize {
    let adapters = wgpu::adapters().unwrap();
    assert!(
        !adapters.is_empty(),
        "no GPU answers; on Debian, `apt-get install mesa-vulkan-drivers` gives one in software"
    );
    adapters.iter().position(|adapter| adapter.kind == Kind::Software).unwrap_or(0)
}

/// One test at a time: what a device says on a thread of its own would reach another.
pub fn alone() -> MutexGuard<'static, ()> {
    static DEVICE: Mutex<()> = Mutex::new(());
    DEVICE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn device() -> Device {
    Device::find(DeviceArg::Gpu(number())).unwrap()
}

pub fn both(shape: &WaveNetShape) -> (Arc<Table>, Fused, Box<dyn Compute>) {
    let table = Arc::new(Table::new(shape));
    let cpu = Fused::new(&table, Level::detect(), 2).unwrap();
    let gpu = open(&device(), &table, 0).unwrap();
    (table, cpu, gpu)
}
