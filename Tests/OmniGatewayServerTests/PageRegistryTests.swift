import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import OmniGatewayServer

/// The pages in the program.
@Suite struct PageRegistryTests {
    private let book = PageRegistry()

    private func request(_ fields: HTTPFields = [:]) -> Request {
        Request(
            head: .init(method: .get, scheme: "http", authority: "localhost", path: "/", headerFields: fields),
            body: .init(buffer: ByteBuffer()))
    }

    private func text(_ name: String) async throws -> String {
        let response = try #require(book.reply(name, to: request()))
        let collector = Collector()
        try await response.body.write(collector)
        return collector.text
    }

    @Test func everyFileThatThePagesNameIsThere() async throws {
        for page in ["index.html", "docs.html"] {
            let text = try await text(page)
            let named = text.matches(of: /(?:src|href)="pages\/([^"]+)"/).map { String($0.1) }
            #expect(!named.isEmpty)
            for name in named { #expect(book.names.contains(name), "\(page) names \(name)") }
        }
        for name in book.names where name.hasSuffix(".js") {
            for module in try await text(name).matches(of: /from '\.\/([^']+)'/) {
                #expect(book.names.contains(String(module.1)), "\(name) imports \(module.1)")
            }
        }
    }

    /// The policy forbids inline scripts and styles; the pages must do without. Nothing may turn text into HTML.
    @Test func nothingIsInlineAndNothingReadsHTML() async throws {
        for name in book.names {
            let text = try await text(name)
            if name.hasSuffix(".html") {
                #expect(!text.contains("<style") && !text.contains(" style="), "\(name)")
                #expect(text.matches(of: /<script(?![^>]*src=)/).isEmpty, "\(name)")
                #expect(text.matches(of: /\son[a-z]+="/).isEmpty, "\(name)")
            } else if name.hasSuffix(".js") {
                for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "new Function"] {
                    #expect(!text.contains(word), "\(name) has \(word)")
                }
            }
            #expect(text.matches(of: /(?:src|href|url\()\s*=?\s*["'(]?https?:\/\//).isEmpty, "\(name) names another host")
        }
    }

    @Test func aClientThatHasThePageGetsNoBody() throws {
        let first = try #require(book.reply("base.css", to: request()))
        let tag = try #require(first.headers[.eTag])
        #expect(first.status == .ok)
        #expect(first.headers[.contentSecurityPolicy]?.contains("unsafe") == false)
        let second = try #require(book.reply("base.css", to: request([.ifNoneMatch: tag])))
        #expect(second.status == .notModified)
        #expect(book.reply("../Package.swift", to: request()) == nil)
    }
}

/// Takes a body as text.
private final class Collector: ResponseBodyWriter {
    private(set) var text = ""
    func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
