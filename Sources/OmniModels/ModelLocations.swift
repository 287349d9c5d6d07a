import Foundation

/// The folders in which models are looked for.
public struct ModelLocations: Sendable, Equatable {
    /// swift-omni's own data folder; its models stand in `models/`.
    public var home: URL
    /// The Hugging Face cache: the folder that holds `models--owner--name`.
    public var hubCache: URL
    /// `Models/` of the checkout or of the installation, which carries the small starter models.
    public var packageModels: URL?

    public init(home: URL, hubCache: URL, packageModels: URL? = nil) {
        self.home = home
        self.hubCache = hubCache
        self.packageModels = packageModels
    }

    /// `models/` in the data folder.
    public var homeModels: URL { home.appending(path: "models", directoryHint: .isDirectory) }

    /// What the environment says: `OMNI_HOME` (else `$XDG_DATA_HOME/omni`, else `~/.local/share/omni`); `HF_HUB_CACHE`, else
    /// `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`. Empty variables count as
    /// unset.
    public static func fromEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment,
        dataDirectory: String? = nil,
        executable: URL? = Bundle.main.executableURL,
        workingDirectory: String = FileManager.default.currentDirectoryPath
    ) -> ModelLocations {
        func folder(_ name: String) -> URL? {
            guard let value = environment[name], !value.isEmpty else { return nil }
            return URL(filePath: expandingTilde(value), directoryHint: .isDirectory)
        }
        let user = FileManager.default.homeDirectoryForCurrentUser
        let home =
            dataDirectory.map { URL(filePath: expandingTilde($0), directoryHint: .isDirectory) }
            ?? folder("OMNI_HOME")
            ?? folder("XDG_DATA_HOME")?.appending(path: "omni", directoryHint: .isDirectory)
            ?? user.appending(path: ".local/share/omni", directoryHint: .isDirectory)
        let cache =
            folder("HF_HUB_CACHE")
            ?? folder("HUGGINGFACE_HUB_CACHE")
            ?? (folder("HF_HOME")
            ?? (folder("XDG_CACHE_HOME") ?? user.appending(path: ".cache")).appending(path: "huggingface"))
            .appending(path: "hub", directoryHint: .isDirectory)
        return ModelLocations(
            home: home, hubCache: cache,
            packageModels: packageModels(executable: executable, workingDirectory: workingDirectory))
    }

    /// The checkout that the program was built in, else the one that is the working directory: the folder with `native.lock`.
    public static func checkout(
        executable: URL? = Bundle.main.executableURL, workingDirectory: String = FileManager.default.currentDirectoryPath
    ) -> URL? {
        var folders = [URL(filePath: workingDirectory, directoryHint: .isDirectory)]
        if var folder = executable?.resolvingSymlinksInPath() {
            for depth in 0..<6 where folder.path != "/" {
                folder = folder.deletingLastPathComponent()
                folders.insert(folder, at: depth)
            }
        }
        return folders.first { isFile($0.appending(path: "native.lock")) }
    }

    /// `Models/` of the checkout, or `share/omni/Models` of an installation.
    private static func packageModels(executable: URL?, workingDirectory: String) -> URL? {
        let installed = executable?.resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "share/omni/Models")
        let own = checkout(executable: executable, workingDirectory: workingDirectory)?.appending(path: "Models")
        return [installed, own].compactMap(\.self).first(where: isFolder)
    }
}

/// `~` and `~/…` with the user's home folder in place of the tilde.
public func expandingTilde(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/") else { return path }
    return FileManager.default.homeDirectoryForCurrentUser.path + path.dropFirst()
}

func isFolder(_ url: URL) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &folder) && folder.boolValue
}

func isFile(_ url: URL) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &folder) && !folder.boolValue
}

/// The names in a folder, sorted; empty when it cannot be read. Hidden ones are left out.
func names(in folder: URL) -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return all.filter { !$0.hasPrefix(".") }.sorted()
}

/// The size of a file in bytes, links followed; nil when it is not there.
func fileSize(_ url: URL) -> Int64? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)
    return (attributes?[.size] as? NSNumber)?.int64Value
}
