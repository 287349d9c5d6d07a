import Foundation

/// This very program, for the processes that it starts.
enum OwnProgram {
    /// Throws where the system does not tell.
    static func path() throws -> String {
        #if os(Linux)
            if let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") { return path }
        #endif
        if let path = Bundle.main.executablePath { return path }
        throw StartError("Cannot find this program's own path.")
    }

    /// What this process runs, whatever file has its name by now; nil where the system has no name for it.
    static var image: String? {
        #if os(Linux)
            let image = "/proc/\(ProcessInfo.processInfo.processIdentifier)/exe"
            return FileManager.default.isExecutableFile(atPath: image) ? image : nil
        #else
            return nil
        #endif
    }
}
