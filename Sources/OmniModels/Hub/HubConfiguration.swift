import Foundation

/// How the Hub is reached and where its files go.
public struct HubConfiguration: Sendable {
    /// The Hub's address, without a trailing slash.
    public var endpoint: String
    /// Sent to the endpoint, and to no host that it redirects to.
    public var token: String?
    /// The cache that holds `models--owner--name`.
    public var cache: URL
    /// Files on the way at once.
    public var concurrency = 4
    /// Failures in a row, without a byte between them, after which a file is given up.
    public var attempts = 5
    /// The wait after the first failure; doubled after each.
    public var firstDelay = Duration.seconds(1)
    /// The longest wait, also when a server asks for a longer one.
    public var longestDelay = Duration.seconds(60)
    /// Bytes free on the disk under a folder; nil when unknown.
    public var freeSpace: @Sendable (URL) -> Int64? = { HubConfiguration.systemFreeSpace($0) }

    public init(endpoint: String = HubConfiguration.defaultEndpoint, token: String? = nil, cache: URL) {
        self.endpoint = endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        self.token = token
        self.cache = cache
    }

    public static let defaultEndpoint = "https://huggingface.co"

    /// `HF_ENDPOINT`; `HF_TOKEN`, else what `huggingface-cli login` left in `$HF_HOME/token`. Throws ``HubError`` when
    /// `HF_HUB_OFFLINE` forbids downloads or the endpoint is no http(s) address.
    public static func fromEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment, locations: ModelLocations
    ) throws -> HubConfiguration {
        if let offline = environment["HF_HUB_OFFLINE"], ["1", "true", "yes", "on"].contains(offline.lowercased()) {
            throw HubError("HF_HUB_OFFLINE is set, so nothing is downloaded.", remedy: "Unset it to pull models.")
        }
        let endpoint = environment["HF_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 } ?? defaultEndpoint
        guard let url = URL(string: endpoint), ["http", "https"].contains(url.scheme ?? ""), url.host != nil else {
            throw HubError(
                "HF_ENDPOINT is \(endpoint), which is no http(s) address.", remedy: "Unset it, or give one such as \(defaultEndpoint).")
        }
        let named = environment["HF_TOKEN"] ?? environment["HUGGING_FACE_HUB_TOKEN"]
        let file =
            environment["HF_TOKEN_PATH"].map { URL(filePath: expandingTilde($0)) }
            ?? locations.hubCache.deletingLastPathComponent().appending(path: "token")
        let stored = try? String(contentsOf: file, encoding: .utf8)
        let token = (named ?? stored)?.trimmingCharacters(in: .whitespacesAndNewlines)
        return HubConfiguration(endpoint: endpoint, token: token?.isEmpty == false ? token : nil, cache: locations.hubCache)
    }

    /// What the system says about the disk under `folder`.
    public static func systemFreeSpace(_ folder: URL) -> Int64? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
        return (attributes?[.systemFreeSize] as? NSNumber)?.int64Value
    }
}

/// Why something could not be brought from the Hub.
public struct HubError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as a full sentence.
    public var problem: String
    /// What to do, as a full sentence.
    public var remedy: String?

    public init(_ problem: String, remedy: String? = nil) {
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String { remedy.map { "\(problem) \($0)" } ?? problem }
}
