import Foundation
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniMedia

/// Where an input picture comes from.
package enum ImageSource: Sendable {
    case file(ByteBuffer)
    /// A `data:` or http(s) URL.
    case url(String)
}

/// Gets the input pictures of a request, under its limits.
package struct ImageInputs: Sendable {
    let limits: ImageRequestLimits
    let fetcher: any MediaFetcher

    package init(limits: ImageRequestLimits, fetcher: any MediaFetcher) {
        self.limits = limits
        self.fetcher = fetcher
    }

    /// The picture, upright. Throws ``APIError`` with `param`: 400 for what is no picture, 413 over a limit.
    package func load(_ source: ImageSource, param: String) async throws -> Picture {
        let bytes = try await bytes(source, param)
        do {
            return try await offPool { try ImageCodec.decode(bytes, limits: limits.codec) }
        } catch var error as APIError {
            error.param = param
            if error.status == 413 {
                error.remedy = "Send a smaller one, or start the server with higher --limit-mm-pixels and --limit-mm-bytes."
            }
            throw error
        }
    }

    /// The picture without alpha at another size.
    package func resized(_ picture: Picture, to size: ImageSize) async throws -> Picture {
        try await offPool { picture.flattened().resized(width: size.width, height: size.height) }
    }

    /// The picture as a model looks at it, without alpha: smaller where it has too many pixels, and cut to multiples of `multiple`.
    package func reference(_ picture: Picture, _ limits: ReferenceLimits, multiple: Int) async throws -> Picture {
        let (size, kept) = limits.sizes(of: ImageSize(width: picture.width, height: picture.height), multiple: multiple)
        return try await offPool {
            picture.flattened().resized(width: size.width, height: size.height).cropped(width: kept.width, height: kept.height)
        }
    }

    /// Where to draw anew, 255 draws, 0 keeps. In a `mask` of OpenAI's kind that is where it is transparent; without alpha,
    /// and in a `mask_image`, where it is white.
    package func mask(_ picture: Picture, byAlpha: Bool, size: ImageSize) async throws -> [UInt8] {
        try await offPool {
            let useAlpha = byAlpha && picture.hasAlpha
            var values = picture
            // Alpha would weigh the colours when resizing; the values that count become the colours.
            if useAlpha {
                for place in stride(from: 0, to: values.pixels.count, by: 4) {
                    for channel in 0..<3 { values.pixels[place + channel] = 255 - values.pixels[place + 3] }
                }
            }
            if values.hasAlpha {
                for place in stride(from: 3, to: values.pixels.count, by: 4) { values.pixels[place] = 255 }
            }
            let scaled = values.resized(width: size.width, height: size.height, filter: .bilinear)
            return stride(from: 0, to: scaled.pixels.count, by: scaled.channels).map { place in
                // Rec. 601, as Pillow turns colours into grey.
                let (red, green, blue) = (Int(scaled.pixels[place]), Int(scaled.pixels[place + 1]), Int(scaled.pixels[place + 2]))
                return UInt8((red * 299 + green * 587 + blue * 114) / 1000)
            }
        }
    }

    /// The file's bytes, not looked at.
    package func bytes(_ source: ImageSource, _ param: String) async throws -> [UInt8] {
        switch source {
        case .file(let buffer): return Array(buffer.readableBytesView)
        case .url(let text) where text.prefix(5).lowercased() == "data:":
            guard let comma = text.firstIndex(of: ","), text[..<comma].lowercased().hasSuffix(";base64") else {
                throw APIError(.badRequest, "Invalid base64 image: a data: URL must be data:image/…;base64,….", param: param)
            }
            let encoded = text[text.index(after: comma)...]
            guard encoded.utf8.count / 4 * 3 <= limits.inputBytes else {
                throw APIError(
                    .tooLarge, "The picture has more than the limit of \(limits.inputBytes) bytes.",
                    remedy: "Send a smaller one, or start the server with a higher --limit-mm-bytes.", param: param)
            }
            guard let data = Base64.decode(String(encoded)), !data.isEmpty else {
                throw APIError(.badRequest, "Invalid base64 image.", param: param)
            }
            return Array(data)
        case .url(let text) where text.prefix(4).lowercased() == "http":
            return try await fetcher.fetch(text, limit: limits.inputBytes, param: param)
        case .url:
            throw APIError(.badRequest, "Unsupported input: a picture must be a file, a data: URL or an http(s) URL.", param: param)
        }
    }

    private func offPool<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}
