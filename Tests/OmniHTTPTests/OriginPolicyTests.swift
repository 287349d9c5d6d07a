import OmniAPI
import Testing

@testable import OmniHTTP

@Suite("Origins and names")
struct OriginPolicyTests {
    private let own = "127.0.0.1:8091"

    @Test(
        "on loopback without keys only this machine's pages may call",
        arguments: [
            ("https://evil.example", false), ("http://evil.example:8091", false), ("null", false),
            ("https://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false), ("http://10.0.0.1", false), ("", false), ("evil", false), ("://x", false),
            ("http://localhost:3000", true), ("http://127.0.0.1:8091", true), ("http://app.localhost", true), ("http://[::1]:5173", true),
            ("https://localhost", true), ("vscode-webview://1a2b", true), ("app://obsidian.md", true),
        ])
    func loopback(origin: String, isAllowed: Bool) {
        let policy = OriginPolicy(boundHost: "127.0.0.1")
        #expect((policy.refusal(origin: origin, host: own) == nil) == isAllowed)
        #expect(policy.allowed(origin) == (isAllowed ? origin : nil))
    }

    @Test("who names no origin is no page") func programs() {
        #expect(OriginPolicy(boundHost: "127.0.0.1").refusal(origin: nil, host: own) == nil)
    }

    @Test("the star is back by flag, with keys, on other addresses and on Unix sockets") func stars() {
        let policies = [
            OriginPolicy(origins: ["*"], boundHost: "127.0.0.1"), OriginPolicy(boundHost: "127.0.0.1", hasKeys: true),
            OriginPolicy(boundHost: "0.0.0.0"), OriginPolicy(),
        ]
        for policy in policies {
            #expect(policy.allowed("https://a.example") == "*" && policy.refusal(origin: "https://a.example", host: own) == nil)
        }
    }

    @Test("a list lets in what it names and the server's own pages; with keys it only says what pages may read") func lists() {
        for host in ["127.0.0.1", "0.0.0.0"] {
            let policy = OriginPolicy(origins: ["https://good.example"], boundHost: host)
            #expect(
                policy.refusal(origin: "https://good.example", host: own) == nil
                    && policy.allowed("https://good.example") == "https://good.example")
            #expect(policy.refusal(origin: "http://127.0.0.1:8091", host: own) == nil)
            let refusal = policy.refusal(origin: "http://localhost:3000", host: own)
            #expect(refusal?.status == 403 && refusal?.remedy?.contains("--allowed-origins") == true)
        }
        let keyed = OriginPolicy(origins: ["https://good.example"], boundHost: "127.0.0.1", hasKeys: true)
        #expect(keyed.refusal(origin: "https://b.example", host: own) == nil && keyed.allowed("https://b.example") == nil)
    }

    @Test(
        "on loopback without keys the server goes by this machine's names",
        arguments: [
            ("localhost", true), ("localhost:8091", true), ("LOCALHOST.", true), ("127.0.0.1:1", true), ("127.9.9.9", true),
            ("[::1]:8091", true),
            ("a.localhost:80", true), ("", true), ("rebound.example:8091", false), ("127.0.0.1.rebound.example", false),
            ("10.0.0.1", false),
            ("x", false), ("localhost.example", false), ("[::2]", false), ("127.0.0", false),
        ])
    func names(host: String, isKnown: Bool) {
        let refusal = OriginPolicy(boundHost: "127.0.0.1").refusal(origin: nil, host: host)
        #expect((refusal == nil) == isKnown)
        if !isKnown { #expect(refusal?.status == 403 && refusal?.remedy?.contains("--allowed-hosts") == true) }
        #expect(OriginPolicy(boundHost: "0.0.0.0").refusal(origin: nil, host: host) == nil)
        #expect(OriginPolicy(boundHost: "127.0.0.1", hasKeys: true).refusal(origin: nil, host: host) == nil)
    }

    @Test("further names by flag") func furtherNames() {
        let policy = OriginPolicy(hosts: ["Omni.Example"], boundHost: "localhost")
        #expect(policy.refusal(origin: nil, host: "omni.example:443") == nil && policy.refusal(origin: nil, host: "other.example") != nil)
        #expect(policy.refusal(origin: "https://omni.example", host: "omni.example") == nil, "its own page behind a proxy")
        #expect(OriginPolicy(hosts: ["*"], boundHost: "localhost").refusal(origin: nil, host: "other.example") == nil)
        #expect(OriginPolicy(boundHost: "::1").refusal(origin: nil, host: "[::1]:80") == nil)
    }
}
