import Crypto
import Foundation
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniMedia
import OmniRequests
import OmniStore

/// Takes requests for clips: everything about one is checked here, before there is a job of it.
public struct VideoJobService: Sendable {
    let runner: JobRunner
    let fetcher: any MediaFetcher
    let limits: ImageRequestLimits
    /// Longest that a blocking request waits.
    let syncLimit: Duration

    public init(runner: JobRunner, fetcher: any MediaFetcher, limits: ImageRequestLimits, syncLimit: Duration = .seconds(600)) {
        self.runner = runner
        self.fetcher = fetcher
        self.limits = limits
        self.syncLimit = syncLimit
    }

    /// Files up to this are decoded before the job is made; of larger ones only the kind is looked at, so that they need not be
    /// held in memory.
    private static let decodedBytes = 16 << 20

    /// Makes the job of a request that has been decoded.
    ///
    /// - Parameters:
    ///   - key: its `Idempotency-Key`.
    ///   - isSync: somebody waits for it, and it goes with its answer.
    func submit(_ request: VideoGenerationRequest, files: SpooledForm, to entry: CatalogueEntry, key: String?, isSync: Bool) async throws
        -> StoredJob
    {
        try Self.checkReferences(request, files)
        try Self.check(request, pictureField: Self.pictureField(request, files), entry.backend.status.video)
        let print = Self.fingerprint(request, files)
        let picture = try await picture(request, files)
        var asked = request
        // Inline data lie in the folder; an address has been followed.
        (asked.inputReference, asked.imageReferences) = (nil, nil)
        let seed = request.seed ?? Int(UInt32.random(in: 0...UInt32.max))
        var job = NewJob(
            id: RequestID.make("video_gen_"), model: entry.id, modelName: request.model.flatMap { $0.isEmpty ? nil : $0 } ?? entry.id,
            request: asked, seed: seed)
        (job.hasPicture, job.isSync, job.idempotencyKey) = (picture != nil, isSync, isSync ? nil : key)
        job.fingerprint = key == nil ? nil : print
        let (store, id) = (runner.files, job.id)
        try await NIOThreadPool.singleton.runIfActive {
            try store.room()
            // The picture before the row: a row never names what is not there.
            guard let picture else { return }
            try store.makeFolder(of: id)
            do { try picture.move(to: store, of: id) } catch {
                store.remove(id)
                throw error
            }
        }
        do {
            let creation = try await runner.submit(job)
            if case .existing = creation { store.remove(id) }
            return creation.job
        } catch {
            store.remove(id)
            throw error
        }
    }

    private static func checkReferences(_ request: VideoGenerationRequest, _ files: SpooledForm) throws {
        let given = Set(files.files.map(\.name))
        for name in ["source_video", "source_audio", "video_noise_mask", "audio_noise_mask"] where given.contains(name) {
            throw APIError(.badRequest, "\(name): no served model edits latents.", param: "body.\(name)")
        }
        if request.controlType != nil || given.contains("control_reference") {
            let isWhole = request.controlType != nil && given.contains("control_reference")
            throw APIError(
                .badRequest, isWhole ? "control_type: no served model takes a control." : "control_reference and control_type go together.",
                param: "body.control_type")
        }
        let isNamed = request.imageReferences != nil || request.videoReferences != nil || request.inputReference != nil
        if given.contains("input_reference"), isNamed || given.contains("input_references") {
            throw APIError(
                .badRequest, "input_reference excludes image_reference, video_reference and input_references.",
                param: "body.input_reference")
        }
        if given.contains("input_references"), isNamed {
            throw APIError(.badRequest, "input_references excludes image_reference and video_reference.", param: "body.input_references")
        }
        for (name, list) in [("video_reference", request.videoReferences), ("audio_reference", request.audioReferences)] where list != nil {
            throw APIError(.badRequest, "\(name): no served model takes one.", param: "body.\(name)")
        }
        if (request.imageReferences?.count ?? 0) > 1 || files["input_references"].count > 1 || files["input_reference"].count > 1 {
            throw APIError(.badRequest, "The served models take one picture, the first frame.", param: "body.image_reference")
        }
    }

    // MARK: - The picture to start from

    private enum PictureSource {
        case upload(Upload)
        case bytes([UInt8])

        func move(to files: JobFiles, of id: String) throws {
            switch self {
            case .upload(let upload): try files.adopt(upload.path, as: JobFiles.picture, of: id)
            case .bytes(let bytes): try DurableFile.write(bytes, to: files.path(JobFiles.picture, of: id))
            }
        }
    }

    private func picture(_ request: VideoGenerationRequest, _ files: SpooledForm) async throws -> PictureSource? {
        guard let field = Self.pictureField(request, files) else { return nil }
        let (upload, param) = (files["input_reference"].first ?? files["input_references"].first, "body.\(field)")
        if let upload { return try await checked(upload, param) }
        guard let reference = request.pictureReference else { return nil }
        do {
            let bytes = try await ImageInputs(limits: limits, fetcher: fetcher).bytes(.url(reference.url), param)
            try await check(bytes, param)
            return .bytes(bytes)
        } catch var error as APIError where error.status == 400 {
            error.code = .badRequest
            throw error
        }
    }

    /// The field that brings the picture to start from.
    private static func pictureField(_ request: VideoGenerationRequest, _ files: SpooledForm) -> String? {
        if let upload = files["input_reference"].first ?? files["input_references"].first { return upload.name }
        return request.inputReference != nil ? "input_reference" : request.imageReferences != nil ? "image_reference" : nil
    }

    /// Throws 400 for what the model cannot make at any price. A model that does not serve yet finds it out when the job runs.
    static func check(_ request: VideoGenerationRequest, pictureField: String?, _ told: VideoCapabilities?) throws {
        guard let told, let defaults = VideoDefaults(told) else { return }
        if let pictureField, !defaults.startsFromPicture {
            throw APIError.invalid(
                "body.\(pictureField)", "\(pictureField): the model does not start from a picture.",
                remedy: "Leave it out, or name a model that does.")
        }
        if pictureField == nil, defaults.needsPicture { throw APIError.invalid("body.input_reference", VideoShape.needsPicture) }
        _ = try VideoShape(request, defaults, picture: nil)
    }

    private func checked(_ upload: Upload, _ param: String) async throws -> PictureSource {
        guard ImageFormat(signatureOf: upload.head) != nil else {
            let path = upload.path
            let isVideo = try await NIOThreadPool.singleton.runIfActive { (try? VideoReader(path: path)) != nil }
            throw APIError(
                .badRequest,
                isVideo ? "The model takes a picture as input_reference, not a video." : "input_reference is no picture that can be read.",
                param: param)
        }
        guard upload.bytes <= limits.inputBytes else {
            throw APIError(
                .tooLarge, "The picture has \(upload.bytes) bytes; the limit is \(limits.inputBytes).",
                remedy: "Send a smaller one, or start the server with a higher --limit-mm-bytes.",
                param: param)
        }
        if upload.bytes <= Self.decodedBytes {
            let path = upload.path
            try await check([UInt8](try await NIOThreadPool.singleton.runIfActive { try Data(contentsOf: URL(filePath: path)) }), param)
        }
        return .upload(upload)
    }

    private func check(_ bytes: [UInt8], _ param: String) async throws {
        do {
            _ = try await NIOThreadPool.singleton.runIfActive { try ImageCodec.decode(bytes, limits: limits.codec) }
        } catch var error as APIError {
            error.param = param
            if error.status == 400 { error.code = .badRequest }
            throw error
        }
    }

    /// What makes two requests the same: every field, and the files' contents.
    private static func fingerprint(_ request: VideoGenerationRequest, _ files: SpooledForm) -> String {
        let text = ([request.json.jsonText] + files.files.map { "\($0.name) \($0.sha256)" }).joined(separator: "\n")
        return SHA256.hash(data: Array(text.utf8)).hexText
    }
}
