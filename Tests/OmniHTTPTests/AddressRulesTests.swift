import NIOCore
import Testing

@testable import OmniHTTP

@Suite("Addresses that a request may reach")
struct AddressRulesTests {
    @Test(
        "public ones",
        arguments: [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
            "169.253.0.1", "172.15.255.255", "172.32.0.0", "192.167.1.1", "192.169.0.1", "198.17.255.255", "198.20.0.0", "223.255.255.255",
            "2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
        ])
    func reachable(text: String) throws {
        #expect(AddressRules.isPublic(try SocketAddress(ipAddress: text, port: 80)))
    }

    @Test(
        "what stands behind the firewall",
        arguments: [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
            "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
            "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "2001::1", "2001:1ff::1", "100::1", "fec0::1",
            "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
            "2002:a00:1::1", "::127.0.0.1",
        ])
    func unreachable(text: String) throws {
        #expect(!AddressRules.isPublic(try SocketAddress(ipAddress: text, port: 80)))
    }

    @Test("a Unix socket is never public")
    func unix() throws {
        #expect(!AddressRules.isPublic(try SocketAddress(unixDomainSocketPath: "/tmp/x.sock")))
    }
}

@Suite("Request ids")
struct RequestIDTests {
    @Test(
        "a client's id is taken when it is safe to log",
        arguments: ["a", "trace-9", "01:02/x=y;z", "\"quoted\"", String(repeating: "x", count: 128)])
    func accepted(id: String) {
        #expect(RequestID.accepted(id) == id)
    }

    @Test("others are not", arguments: [nil, "", " ", "a b", "a\nb", "a\tb", "\u{7F}", "ü", "😀", String(repeating: "x", count: 129)])
    func refused(id: String?) {
        #expect(RequestID.accepted(id) == nil)
    }

    @Test("ours have as many digits as asked for, and differ", arguments: [1, 15, 16, 17, 32, 64])
    func made(digits: Int) {
        let ids = (0..<50).map { _ in RequestID.make("p-", digits: digits) }
        #expect(ids.allSatisfy { $0.hasPrefix("p-") && $0.count == digits + 2 && $0.dropFirst(2).allSatisfy(\.isHexDigit) })
        if digits >= 15 { #expect(Set(ids).count == ids.count) }
    }
}

@Suite("Paths behind the API key")
struct AccessGateTests {
    @Test(
        "locked, however many slashes",
        arguments: [
            "/v1", "/v1/", "/v1/models", "//v1/models", "///v1//models", "v1/models", "/v1beta/x",
            "/v2/rerank", "/rerank", "/score", "/api/chat", "/v1/images/generations", "/v1/videos/x/content",
        ])
    func locked(path: String) {
        #expect(AccessGate.isLocked(path))
    }

    @Test("open", arguments: ["/", "", "/health", "/health/v1", "/metrics", "/version", "//", "/v1/images/img_0/content"])
    func open(path: String) {
        #expect(!AccessGate.isLocked(path))
    }
}
