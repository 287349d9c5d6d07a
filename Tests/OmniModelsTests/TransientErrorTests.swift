import NIOCore
import NIOPosix
import Testing

@testable import OmniModels

/// A resolver that knows no name.
private struct NoNames: Resolver {
    struct Unknown: Error {}
    let loop: any EventLoop

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { loop.makeFailedFuture(Unknown()) }
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { loop.makeFailedFuture(Unknown()) }
    func cancelQueries() {}
}

@Suite struct TransientErrorTests {
    @Test func aNameThatIsUnknownIsToldFromAServerThatIsDown() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let unknown = await #expect(throws: NIOConnectionError.self) {
            try await ClientBootstrap(group: loop).resolver(NoNames(loop: loop)).connect(host: "hub.invalid", port: 80).get()
        }
        #expect(try HubClient.transient(#require(unknown))?.isUnknownHost == true)
        // A port that nobody listens on: taken, and given back.
        let server = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        try await server.close()
        let down = await #expect(throws: NIOConnectionError.self) {
            try await ClientBootstrap(group: loop).connect(host: "localhost", port: port).get()
        }
        #expect(try HubClient.transient(#require(down))?.isUnknownHost == false)
    }
}
