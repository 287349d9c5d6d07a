import CLlama
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A device that ggml computes on, as it is named on the command line: `CPU`, `CUDA0`, `Vulkan1`, `Metal`.
// @unchecked: ggml's handle lives as long as the process, and its functions may be called from any thread.
public struct ComputeDevice: @unchecked Sendable, Hashable {
    public enum Kind: String, Sendable {
        case cpu, gpu
        /// A GPU that shares the CPU's memory.
        case integrated
        /// Helps the CPU and has no memory of its own, such as a BLAS library.
        case accelerator
        /// Several devices as one.
        case meta
    }

    /// ggml's `ggml_backend_dev_t`.
    public let handle: OpaquePointer

    private init(handle: OpaquePointer) { self.handle = handle }

    public var name: String { String(cString: ggml_backend_dev_name(handle)) }
    /// What the device calls itself: `NVIDIA H200`.
    public var summary: String { String(cString: ggml_backend_dev_description(handle)) }

    public var kind: Kind {
        switch ggml_backend_dev_type(handle) {
        case GGML_BACKEND_DEVICE_TYPE_CPU: .cpu
        case GGML_BACKEND_DEVICE_TYPE_GPU: .gpu
        case GGML_BACKEND_DEVICE_TYPE_IGPU: .integrated
        case GGML_BACKEND_DEVICE_TYPE_ACCEL: .accelerator
        default: .meta
        }
    }

    /// Whether tensors lie there rather than in this process's memory.
    public var isGPU: Bool { kind == .gpu || kind == .integrated }

    /// Bytes that are free and that there are; zero where the device does not tell.
    public var memory: (free: Int, total: Int) {
        var (free, total) = (0, 0)
        ggml_backend_dev_memory(handle, &free, &total)
        return (free, total)
    }

    /// All devices, in ggml's order.
    public static var all: [ComputeDevice] {
        loadBackends()
        return (0..<ggml_backend_dev_count()).compactMap { ggml_backend_dev_get($0).map(ComputeDevice.init) }
    }

    /// Where a model computes that was given no device: the first GPU, an integrated one where there is no other; nil for the CPU.
    public static var preferredGPU: ComputeDevice? {
        let all = all
        return all.first { $0.kind == .gpu } ?? all.first { $0.kind == .integrated }
    }

    /// The device of that name, whatever its case; the first of a kind for a name without a number, such as `cuda`, and the CPU for `none`.
    ///
    /// - Throws: ``UnknownDevice`` with the names that there are.
    public static func named(_ name: String) throws -> ComputeDevice {
        let (all, wanted) = (all, name.lowercased())
        func isMeant(_ device: ComputeDevice) -> Bool {
            let own = device.name.lowercased()
            return own.prefix { !$0.isNumber } == wanted && own.dropFirst(wanted.count).allSatisfy(\.isNumber)
        }
        let exact = wanted == "none" ? all.first { $0.kind == .cpu } : all.first { $0.name.lowercased() == wanted }
        let found = exact ?? all.first(where: isMeant)
        guard let found else { throw UnknownDevice(name: name, known: all.map(\.name)) }
        return found
    }

    /// Finds back ends that are libraries of their own, once: beside the program, the one that the environment's `GGML_BACKEND_PATH`
    /// names, and the CPU's (``CPULibrary``). Not in the working directory, as ggml would by itself: anybody's library may lie there.
    public static func loadBackends() { _ = cpuLibrary }

    static let programFolder = (Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])).resolvingSymlinksInPath()
        .deletingLastPathComponent()

    /// The back end for the CPU where it is a library that was loaded; nil where it is linked.
    // nonisolated(unsafe): a handle that is never closed.
    nonisolated(unsafe) static let cpuLibrary: UnsafeMutableRawPointer? = {
        ggml_backend_load_all_from_path(programFolder.path)
        guard let library = try? CPULibrary.chosen() else { return nil }
        // It would tell of it on the standard error.
        var (log, data): (ggml_log_callback?, UnsafeMutableRawPointer?) = (nil, nil)
        ggml_log_get(&log, &data)
        ggml_log_set({ _, _, _ in }, nil)
        defer { ggml_log_set(log, data) }
        guard ggml_backend_load(library.path) != nil else { return nil }
        return dlopen(library.path, RTLD_NOW | RTLD_LOCAL)
    }()
}

/// `--device` names what is not there.
public struct UnknownDevice: Error, Sendable, Equatable, CustomStringConvertible {
    public let name: String
    public let known: [String]

    public var description: String { "there is no device \(name); this build has \(known.joined(separator: ", "))" }
}
