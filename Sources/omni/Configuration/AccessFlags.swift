import ArgumentParser
import Foundation
import OmniAPI
import OmniAccess
import OmniHTTP

/// Flags that say who may call.
struct AccessFlags: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Keys that open /v1. Also VLLM_API_KEY.")
    var apiKey: [String] = []

    @Option(
        help: ArgumentHelp("A YAML file of keys with names, scopes, rate limits and expiry; read again when it changes.", valueName: "file")
    )
    var apiKeysFile: String?

    @Option(
        help: ArgumentHelp(
            "Browser origins that may call, as a JSON list. Default: all; on loopback without keys pages of this machine only.",
            valueName: "json"))
    var allowedOrigins: String?

    @Option(
        parsing: .upToNextOption,
        help: "Further names that clients may know the server under, on loopback without keys; * for all.")
    var allowedHosts: [String] = []

    /// The keys of the command line, of the configuration and of the file. Throws what is wrong with them, and for the file its line.
    func store(configured: [APIKey]) throws -> KeyStore {
        let store: KeyStore
        do {
            store = try KeyStore(plain + configured, readsFile: apiKeysFile != nil)
        } catch let error as APIError {
            throw StartError("The API keys: \(error.fullMessage).")
        }
        try file?.load(into: store)
        return store
    }

    var file: KeysFile? { apiKeysFile.map { KeysFile(path: $0) } }

    /// `bound`: the host that is listened on; nil for a Unix socket.
    func pages(bound: String?, keys: KeyStore) throws -> OriginPolicy {
        OriginPolicy(origins: try origins, hosts: allowedHosts, boundHost: bound, hasKeys: keys.isRequired)
    }

    /// Keys without a name are called by their place; one that is given twice counts once.
    private var plain: [APIKey] {
        let environment = ProcessInfo.processInfo.environment["VLLM_API_KEY"].map { [$0] } ?? []
        var seen: Set<String> = []
        let given = (apiKey.isEmpty ? environment : apiKey).filter { !$0.isEmpty && seen.insert($0).inserted }
        return given.enumerated().map { APIKey(name: "api-key-\($0 + 1)", digest: APIKey.digest(of: $1), isOwners: true) }
    }

    private var origins: [String]? {
        get throws {
            guard let allowedOrigins else { return nil }
            guard let list = try? JSONValue.parse(allowedOrigins).arrayValue?.compactMap(\.stringValue) else {
                throw StartError("--allowed-origins must be a JSON list of origins, such as '[\"https://example.com\"]'.")
            }
            return list
        }
    }
}
