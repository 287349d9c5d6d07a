import Foundation
import NIOPosix
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniHTTP

@Suite("Media by address", .timeLimit(.minutes(10)))
struct MediaURLFetcherTests {
    private func fetcher(_ timeout: Duration = .seconds(30)) -> MediaURLFetcher {
        MediaURLFetcher(group: .singletonMultiThreadedEventLoopGroup, allowedDomains: ["127.0.0.1"], timeout: timeout)
    }

    private func refusal(_ text: String, _ fetcher: MediaURLFetcher) async -> APIError? {
        do {
            _ = try await fetcher.fetch(text, limit: 1 << 20, param: "body.image")
            return nil
        } catch { return error as? APIError }
    }

    @Test("a body comes whole, over redirects") func whole() async throws {
        let server = try ScriptedServer { request in
            request.path == "/a" ? .answer(302, headers: [("Location", "/b?x=1")]) : .answer(200, Array("picture \(request.path)".utf8))
        }
        let bytes = try await fetcher().fetch("\(server.url)/a", limit: 1 << 20, param: "p")
        #expect(String(decoding: bytes, as: UTF8.self) == "picture /b?x=1")
    }

    @Test(
        "a server that drips, one that says nothing, and one that redirects to such a one",
        arguments: [ScriptedServer.Reply.drip(length: 1 << 20), .silence])
    func slow(reply: ScriptedServer.Reply) async throws {
        let server = try ScriptedServer { request in request.path == "/away" ? .answer(302, headers: [("Location", "/slow")]) : reply }
        for path in ["slow", "away"] {
            let error = await refusal("\(server.url)/\(path)", fetcher(.milliseconds(300)))
            #expect(error?.status == 400 && error?.param == "body.image" && error?.message.contains("did not arrive") == true)
        }
    }

    @Test("a webhook whose server says nothing ends, too") func slowWebhook() async throws {
        let server = try ScriptedServer { _ in .silence }
        await #expect(throws: APIError.self) { try await fetcher(.milliseconds(300)).post("\(server.url)/hook", headers: [], body: []) }
    }

    @Test(
        "a body cut off, too large, or refused",
        arguments: [
            (ScriptedServer.Reply.cut(200, Array("abc".utf8)), 400, "could not be fetched"),
            (.answer(200, [UInt8](repeating: 0, count: 2 << 20)), 413, "larger than the limit"),
            (.answer(404), 400, "answered 404"), (.hangUp, 400, "could not be fetched"),
            (.answer(302, headers: [("Location", "ftp://x/")]), 400, "no"),
        ] as [(ScriptedServer.Reply, Int, String)])
    func faults(reply: ScriptedServer.Reply, status: Int, message: String) async throws {
        let server = try ScriptedServer { _ in reply }
        let error = await refusal(server.url, fetcher())
        #expect(error?.status == status && error?.message.contains(message) == true)
    }

    @Test("a percent-encoded host is the host that is looked up, checked and asked") func encodedHost() async throws {
        let server = try ScriptedServer { _ in .answer(200, [1, 2, 3]) }
        for host in ["127.0.0.%31", "%3127.0.0.1"] {
            let bytes = try await fetcher().fetch("http://\(host):\(server.port)/x", limit: 10, param: "p")
            #expect(bytes == [1, 2, 3], "\(host)")
        }
        // Nothing is connected to where the host, decoded, is a private one.
        let error = await refusal("http://127.0.0.%31:\(server.port)/", MediaURLFetcher(group: .singletonMultiThreadedEventLoopGroup))
        #expect(error?.message.contains("public address") == true)
    }
}

@Suite struct MediaAddressTests {
    @Test(
        "hosts in the form in which they are looked up",
        arguments: [
            ("http://b\u{FC}cher.example/x?y=%20", "xn--bcher-kva.example", 80),
            ("https://b%C3%BCcher.example", "xn--bcher-kva.example", 443),
            ("HTTP://EXA%4dPLE.com:8080/", "example.com", 8080), ("http://xn--bcher-kva.example/", "xn--bcher-kva.example", 80),
            ("http://[::FFFF:1.2.3.4]:81/", "::ffff:1.2.3.4", 81), ("http://127.1/", "127.1", 80),
            ("https://a_b.example:65535/", "a_b.example", 65535),
        ])
    func canonical(text: String, host: String, port: Int) throws {
        let address = try #require(MediaAddress(text))
        #expect(address.host == host && address.port == port)
        #expect(address.url.host == host)
    }

    @Test("path and query stay as they were") func rest() {
        #expect(MediaAddress("https://EXAMPLE.com/a%20b/c?d=%2F#e")?.url.absoluteString == "https://example.com/a%20b/c?d=%2F#e")
    }

    @Test(
        "what is refused",
        arguments: [
            "", "x", "file:///etc/passwd", "ftp://a/", "http://", "http:///x", "http://a%2Fb.example/", "http://a%00b/", "http://a b/",
            "http://a:99999/", "http://1.2.3.4:65536/",
            "http://1.2.3.4:0/", "http://[fe80::1%25eth0]/", "http://a%20b/", "http://a%40b/", "http://user@/",
        ])
    func refused(text: String) { #expect(MediaAddress(text) == nil) }
}
