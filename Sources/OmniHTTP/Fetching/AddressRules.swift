import Foundation
import NIOCore

/// Which addresses a request may make the server connect to: public ones only, so that a URL in a prompt cannot reach what
/// stands behind the server's firewall.
enum AddressRules {
    /// Whether an address is outside every special range of RFC 6890 and its kin.
    static func isPublic(_ address: SocketAddress) -> Bool {
        switch address {
        // Where POSIX's structures have the address, on Linux and on Apple's systems: which module shows their members differs.
        case .v4(let v4): return withUnsafeBytes(of: v4.address) { isPublic(v4: Array($0[4..<8])) }
        case .v6(let v6): return withUnsafeBytes(of: v6.address) { isPublic(v6: Array($0[8..<24])) }
        case .unixDomainSocket: return false
        }
    }

    /// `bytes`: the four of the address, in network order.
    static func isPublic(v4 bytes: [UInt8]) -> Bool {
        switch (bytes[0], bytes[1], bytes[2]) {
        case (0, _, _), (10, _, _), (127, _, _), (224..., _, _): false  // this network, private, loopback, multicast and reserved
        case (100, 64...127, _): false  // shared address space
        case (169, 254, _): false  // link local, cloud metadata
        case (172, 16...31, _), (192, 168, _): false  // private
        case (192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 51, 100), (203, 0, 113): false  // protocol assignments, documentation
        case (198, 18...19, _): false  // benchmarking
        default: true
        }
    }

    /// `bytes`: the sixteen of the address, in network order.
    static func isPublic(v6 bytes: [UInt8]) -> Bool {
        let isMapped = bytes[0..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        if isMapped { return isPublic(v4: Array(bytes[12...])) }
        // NAT64 and 6to4 carry an IPv4 address inside.
        if bytes[0..<4].elementsEqual([0x00, 0x64, 0xFF, 0x9B]) { return isPublic(v4: Array(bytes[12...])) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return isPublic(v4: Array(bytes[2..<6])) }
        // Global unicast is 2000::/3; 2001:db8::/32 is documentation, 2001::/23 protocol assignments.
        guard bytes[0] & 0xE0 == 0x20 else { return false }
        if bytes[0] == 0x20, bytes[1] == 0x01, bytes[2] < 0x02 || (bytes[2] == 0x0D && bytes[3] == 0xB8) { return false }
        return true
    }
}
