import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An open file that several threads read at once.
package final class WeightFile: Sendable {
    package let path: String
    /// Bytes, when it was opened.
    let size: Int
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TensorError.file(path: path, reason: "cannot be opened: \(String(cString: strerror(errno)))") }
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw TensorError.file(path: path, reason: "is no regular file")
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Fills `buffer` from `offset`; an early end of the file is an error.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        var done = 0
        while done < buffer.count {
            let got = pread(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else {
                let reason = got < 0 ? String(cString: strerror(errno)) : "ends at \(offset + done), in the middle of a tensor"
                throw TensorError.file(path: path, reason: reason)
            }
            done += got
        }
    }

    /// Places that one call of the system fills (IOV_MAX is at least this).
    private static let mostPlaces = 1024

    /// Fills places of equal size, one after the other, with what follows in the file from `offset`.
    func read(at offset: Int, into places: [UnsafeMutableRawPointer], of size: Int) throws {
        for start in stride(from: 0, to: places.count, by: Self.mostPlaces) {
            let some = places[start..<min(start + Self.mostPlaces, places.count)]
            let got = preadv(descriptor, some.map { iovec(iov_base: $0, iov_len: size) }, Int32(some.count), off_t(offset + start * size))
            guard got < some.count * size else { continue }
            // Not all in one go: the others one at a time, with their errors.
            for index in some.indices.dropFirst(max(0, got) / size) {
                try read(at: offset + index * size, into: UnsafeMutableRawBufferPointer(start: places[index], count: size))
            }
        }
    }

    /// The whole file as memory that is only read; nil where the system refuses.
    func map() -> UnsafeMutableRawPointer? {
        guard size > 0, let start = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else { return nil }
        madvise(start, size, MADV_WILLNEED)
        return start
    }

    /// Gets memory for bytes that are written next, in one call where writing would be a fault for every page.
    static func makeRoom(_ start: UnsafeMutableRawPointer, _ count: Int) {
        #if canImport(Glibc)
            let page = Int(getpagesize())
            let first = start - Int(bitPattern: start) % page
            madvise(first, start + count - first, 23)  // MADV_POPULATE_WRITE, in Linux since 5.14
        #endif
    }

    /// Brings mapped bytes into memory and into the page table now, so that the first request need not wait for the disk.
    static func bringIn(_ start: UnsafeRawPointer, _ count: Int) {
        let page = Int(getpagesize())
        let first = UnsafeMutableRawPointer(mutating: start) - Int(bitPattern: start) % page
        let bytes = start + count - UnsafeRawPointer(first)
        #if canImport(Glibc)
            // MADV_POPULATE_READ, in Linux since 5.14: one call where reading would be a fault for every few pages.
            if madvise(first, bytes, 22) == 0 { return }
        #endif
        var sum: UInt8 = 0
        for offset in stride(from: 0, to: count, by: page) { sum ^= start.load(fromByteOffset: offset, as: UInt8.self) }
        touched.store(sum, ordering: .relaxed)
    }

    /// Where the bytes that were touched go, so that reading them is not left out.
    private static let touched = Atomic<UInt8>(0)

    package func read(at offset: Int, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try read(at: offset, into: $0) }
        return bytes
    }
}
