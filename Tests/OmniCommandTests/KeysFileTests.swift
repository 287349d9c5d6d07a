import Foundation
import OmniAPI
import OmniAccess
import Testing

@testable import omni

@Suite struct KeysFileTests {
    private func parse(_ text: String) throws -> [APIKey] {
        guard let root = try ConfigurationFile.compose(text, file: "keys.yaml") else { return [] }
        return try ConfigurationReader(file: "keys.yaml", serveFlags: []).keysFile(root)
    }

    @Test("all that can be said of a key") func everything() throws {
        let keys = try parse(
            """
            keys:
              - name: ci
                key: sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08
                expires: 2027-01-31T12:00:00Z
                routes: [/v1/chat/completions, "/v1/audio/*"]
                models: smol
                requests-per-minute: 60
                tokens_per_minute: 20000
                concurrent-requests: 4
              - {name: day, key: secret, expires: 2027-01-31}
            """)
        #expect(keys.count == 2)
        let limits = KeyLimits(requestsPerMinute: 60, tokensPerMinute: 20_000, concurrentRequests: 4)
        let scope = KeyScope(routes: ["/v1/chat/completions", "/v1/audio/*"], models: ["smol"])
        let noon = Date(timeIntervalSince1970: 1_801_396_800)
        #expect(keys[0] == APIKey(name: "ci", digest: APIKey.digest(of: "test"), expiry: noon, scope: scope, limits: limits))
        #expect(keys[1] == APIKey(name: "day", digest: APIKey.digest(of: "secret"), expiry: noon - 43_200))
        #expect(try parse("- {name: a, key: b}").count == 1)
        #expect(try parse("").isEmpty && parse("keys: []").isEmpty)
    }

    @Test("JSON is YAML too") func json() throws {
        #expect(try parse(#"{"keys": [{"name": "a", "key": "b", "requests_per_minute": 3}]}"#)[0].limits.requestsPerMinute == 3)
    }

    @Test(
        "a fault has its line",
        arguments: [
            ("keys:\n  - {name: a}", 2, "needs a name and a key"), ("keys:\n  - name: a\n    key: sha256:12", 3, "64 hexadecimal"),
            ("keys:\n  - {name: a, key: b}\n  - {name: a, key: c}", 3, "two keys are called a"), ("kees: []", 1, "did you mean keys"),
            ("- name: a\n  key: b\n  requests-per-minute: 0", 3, "whole number"), ("- name: a\n  key: b\n  expires: soon", 3, "2027-01-31"),
            ("- name: a\n  key: b\n  expires: 2027-02-31", 3, "2027-01-31"),
            ("- name: a\n  key: b\n  routes: [v1/models]", 3, "begins with /"),
            ("- name: a\n  key: b\n  request-per-minute: 5", 3, "requests-per-minute"), ("- name: api-key-1\n  key: b", 1, "--api-key"),
            ("- name: \"a b\"\n  key: b", 1, "visible ASCII"), ("- name: a\n  key: \"\"", 2, "text"), ("keys: 3", 1, "list"),
            ("keys: [", 2, "YAML"),
            ("- name: a\n  key: b\n  expires: 2027-02-31T12:00:00Z", 3, "2027-01-31"),
        ])
    func faults(text: String, line: Int, says: String) {
        do {
            _ = try parse(text)
            Issue.record("read: \(text)")
        } catch let error as ConfigurationError {
            #expect(error.line == line && error.description.contains(says), "\(error)")
        } catch { Issue.record("\(error)") }
    }

    @Test("the configuration file has them too") func configuration() throws {
        let file = try ConfigurationFile.parse("api-keys:\n  - {name: a, key: b}\nport: 1", file: "omni.yaml", serveFlags: ["port"])
        #expect(file.keys.map(\.name) == ["a"] && file.flags == ["port": ["1"]])
    }

    @Test("a file that cannot be read changes nothing") func loading() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: url) }
        let store = try KeyStore(readsFile: true), file = KeysFile(path: url.path)
        #expect(throws: ConfigurationError.self) { try file.load(into: store) }
        try "- {name: a, key: b}".write(to: url, atomically: true, encoding: .utf8)
        try file.load(into: store)
        let stamp = file.stamp
        try "- {name: a, key: b}\n- oops".write(to: url, atomically: true, encoding: .utf8)
        #expect(file.stamp != stamp)
        #expect(throws: ConfigurationError.self) { try file.load(into: store) }
        #expect(try store.key("b").name == "a")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: url.path)
        #expect(KeysFile.isReadableByAll(url.path))
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: url.path)
        #expect(!KeysFile.isReadableByAll(url.path))
    }
}
