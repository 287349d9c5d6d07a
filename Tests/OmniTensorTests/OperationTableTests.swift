import OmniDevices
import OmniEngine
import Testing

@testable import OmniTensor

/// Graphs without kernels of ours, as GPUs get them.
@Suite struct OperationTableTests {
    /// Every GPU of this build; the CPU stands for one where there is none, so that the cases are run anyway.
    static let devices: [ComputeDevice?] = {
        let gpus = ComputeDevice.all.filter(\.isGPU)
        return gpus.isEmpty ? [nil] : gpus
    }()

    @Test(arguments: devices) func everyOperationIsDoneOnTheDevice(device: ComputeDevice?) throws {
        let rows = try OperationTable(device, threads: 2).run()
        #expect(rows.count > 60)
        for row in rows {
            #expect(row.isRight, "\(row.name): off by \(row.error ?? .infinity), \(row.tolerance) allowed")
            #expect(row.missing.isEmpty, "\(row.name): \(row.missing) left to the CPU")
            #expect(!row.supported.isEmpty, "\(row.name) computes nothing")
        }
        // What is left out would show: kernels of ours are one custom operation.
        #expect(!rows.flatMap(\.supported).contains { $0.name.hasPrefix("CUSTOM") || $0.name.hasPrefix("MAP_CUSTOM") })
    }

    @Test func distanceSeesWrongNumbers() {
        #expect(OperationTable.distance([3, 4], [3, 4]) == 0)
        #expect(abs((OperationTable.distance([3, 4.5], [3, 4]) ?? 0) - 0.1) < 1e-6)
        #expect(OperationTable.distance([3, .nan], [3, 4]) == nil)
        #expect(OperationTable.distance([3], [3, 4]) == nil)
    }

    @Test func anUnknownDeviceIsNamed() throws {
        #expect(try ComputeDevice.named("cpu").kind == .cpu)
        #expect(try ComputeDevice.named("none").kind == .cpu)
        let error = #expect(throws: UnknownDevice.self) { try ComputeDevice.named("CUDA7") }
        #expect(error?.description.contains("CUDA7") == true && error?.known.contains("CPU") == true)
    }

    @Test func theLogHoldsWhatRan() throws {
        let backend = try Backend(threads: 1, useGPU: false, ownKernels: false)
        let executor = try Executor(backend, capacity: 64)
        func run() throws { _ = try executor.evaluate(ComputeScope()) { [try $0.silu($0.input([4], [1, 2, 3, 4]))] } }
        try run()
        #expect(backend.operations.supported.isEmpty)
        backend.operations.start()
        try run()
        #expect(backend.operations.supported.keys.map(\.name) == ["SILU"] && backend.operations.nodes == 1)
    }
}
