import CLlama

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// ggml's functions for the CPU alone, wherever they are: linked, or in the library that was loaded for this CPU.
public enum CPUFunctions {
    /// Threads of a graph on the CPU.
    public static func setThreads(_ backend: ggml_backend_t, _ threads: Int) {
        function("ggml_backend_cpu_set_n_threads", (@convention(c) (ggml_backend_t, Int32) -> Void).self)(backend, Int32(threads))
    }

    /// What is asked between the nodes of a graph on the CPU; true ends it.
    public static func setAbort(_ backend: ggml_backend_t, _ callback: ggml_abort_callback, _ data: UnsafeMutableRawPointer) {
        typealias Setter = @convention(c) (ggml_backend_t, ggml_abort_callback?, UnsafeMutableRawPointer?) -> Void
        function("ggml_backend_cpu_set_abort_callback", Setter.self)(backend, callback, data)
    }

    /// Bytes of working memory that the nodes of a graph take on the CPU.
    public static func workSize(_ graph: OpaquePointer, threads: Int) -> Int {
        typealias Planner = @convention(c) (OpaquePointer?, Int32, OpaquePointer?) -> ggml_cplan
        return function("ggml_graph_plan", Planner.self)(graph, Int32(threads), nil).work_size
    }

    /// How the CPU multiplies weights of a type.
    public static func traits(_ type: ggml_type) -> ggml_type_traits_cpu {
        typealias Getter = @convention(c) (ggml_type) -> UnsafePointer<ggml_type_traits_cpu>
        return function("ggml_get_type_traits_cpu", Getter.self)(type).pointee
    }

    private static func function<Function>(_ name: String, _ type: Function.Type) -> Function {
        guard let symbol = dlsym(ComputeDevice.cpuLibrary ?? everywhere, name) else {
            // Headers and libraries are of one build: without it the installation is broken, and nothing can be computed.
            fatalError("ggml's back end for the CPU lacks \(name)")
        }
        return unsafeBitCast(symbol, to: type)
    }

    /// `RTLD_DEFAULT`, which Swift does not see.
    private static var everywhere: UnsafeMutableRawPointer? {
        #if canImport(Darwin)
            UnsafeMutableRawPointer(bitPattern: -2)
        #else
            nil
        #endif
    }
}
