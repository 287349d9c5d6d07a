import ArgumentParser
import OmniDevices
import OmniEngine
import Synchronization
import Testing

@testable import omni

/// `--device`, `--gpu-layers`, `--tensor-split`, and the lanes that follow from them.
@Suite struct DeviceFlagTests {
    @Test func devicesAndSharesReachTheWorkers() throws {
        let flags = try EngineFlags.parse(["--device", "CUDA0, CUDA1", "--tensor-split", "3,1", "--gpu-layers", "20"])
        #expect(flags.devices == ["CUDA0", "CUDA1"])
        #expect(try flags.shares == [3, 1])
        let again = try EngineFlags.parse(flags.arguments)
        #expect(again.devices == flags.devices && again.gpuLayers == 20)
        #expect(try again.shares == [3, 1])
        #expect(try EngineFlags.parse(["--device", "auto"]).devices.isEmpty)
    }

    @Test(arguments: ["", "a", "1,,2", "-1,2", "0,0", "nan"]) func sharesThatAreNoneAreRefused(text: String) {
        #expect(throws: (any Error).self) { try EngineFlags.parse(["--tensor-split", text]) }
    }

    @Test func theDevicesAreListed() throws {
        #expect(try ServeCommand.parse(["--list-devices"]).listDevices)
        #expect(DeviceList.lines.contains { $0.hasPrefix("CPU: ") && $0.contains(" MiB free") })
    }

    @Test func aModelOnTheCPUHoldsItsLane() throws {
        let flags = try EngineFlags.parse(["--device", "cpu"])
        for kind in [ModelKind.text, .image, .video, .speech] {
            #expect(try WorkerDevices(kind: kind, usesLibllama: kind == .text, flags: flags).lanes == ["cpu"], "\(kind)")
        }
        #expect(throws: UnknownDevice.self) {
            try WorkerDevices(kind: .image, usesLibllama: false, flags: EngineFlags.parse(["--device", "CUDA9"]))
        }
    }

    /// Lanes are of devices: a model on a GPU leaves the CPU's to others, unless some layers stay there.
    @Test(.enabled(if: ComputeDevice.preferredGPU != nil)) func aModelOnAGPUHoldsThatLaneAlone() throws {
        let gpu = try #require(ComputeDevice.preferredGPU)
        func lanes(_ kind: ModelKind, _ usesLibllama: Bool, _ arguments: [String]) throws -> [String] {
            try WorkerDevices(kind: kind, usesLibllama: usesLibllama, flags: EngineFlags.parse(arguments)).lanes
        }
        let lane = gpu.name.lowercased()
        #expect(try lanes(.image, false, []) == [lane])
        #expect(try lanes(.image, false, ["--device", gpu.name]) == [lane])
        #expect(try lanes(.text, true, ["--device", gpu.name, "--gpu-layers", "3"]) == ["cpu", lane])
        #expect(try lanes(.image, false, ["--gpu-layers", "0"]) == ["cpu"])
        #expect(try lanes(.speech, false, []) == ["cpu"])
    }

    @Test func joinedLanesAreTakenTogetherAndGivenBack() {
        let order = Order()
        let lane = JoinedLane([Named("cpu", order), Named("cuda0", order)])
        lane.hold { order.note("work") }
        #expect(order.words == ["+cpu", "+cuda0", "work", "-cuda0", "-cpu"])
        #expect(!lane.isWanted)
    }

    private final class Order: Sendable {
        private let list = Mutex<[String]>([])
        var words: [String] { list.withLock { $0 } }
        func note(_ word: String) { list.withLock { $0.append(word) } }
    }

    private struct Named: ComputeLane {
        let name: String
        let order: Order
        init(_ name: String, _ order: Order) { (self.name, self.order) = (name, order) }
        func acquire() { order.note("+" + name) }
        func release() { order.note("-" + name) }
    }
}
