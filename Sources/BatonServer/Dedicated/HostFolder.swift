import Foundation
import Netplay

/// The private folder of one host: its configuration, and whatever the program writes. It goes with the host.
struct HostFolder: Sendable {
    let path: String

    /// Makes the folder and what must be in it before the program starts.
    init(at path: String, core: CoreFile, password: Secret?) throws {
        self.path = path
        for name in ["", "/info", "/saves", "/states", "/cache"] {
            try FileManager.default.createDirectory(
                atPath: path + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        // RetroArch hosts a core only if its info file says that this works.
        try Self.write(core.description.textForHosting, to: "\(path)/info/\(core.moduleName).info")
        try Self.write(Self.configuration(path, core: core, password: password), to: configurationFile)
    }

    var configurationFile: String { path + "/retroarch.cfg" }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func write(_ text: String, to path: String) throws {
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8), attributes: attributes) else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
    }

    /// No picture, sound, pad, menu or network but netplay. Null video knows no refresh rate, so frames are paced by the
    /// clock (`vrr_runloop_enable`). The host watches: guests get the pads. The server announces it, not RetroArch, for
    /// guests come to the server's door.
    private static func configuration(_ path: String, core: CoreFile, password: Secret?) -> String {
        let settings: [(String, String)] = [
            ("video_driver", "null"), ("audio_driver", "null"), ("audio_enable", "false"), ("input_driver", "null"),
            ("input_joypad_driver", "null"), ("menu_driver", "null"), ("midi_driver", "null"),
            ("video_vsync", "false"), ("vrr_runloop_enable", "true"), ("fastforward_ratio", "1.0"),
            ("pause_nonactive", "false"), ("config_save_on_exit", "false"), ("history_list_enable", "false"),
            ("savestate_auto_save", "false"), ("savestate_auto_load", "false"), ("rewind_enable", "false"),
            ("run_ahead_enabled", "false"), ("cheevos_enable", "false"), ("discord_allow", "false"),
            ("core_updater_buildbot_cores_url", ""), ("core_updater_buildbot_assets_url", ""),
            ("netplay_start_as_spectator", "true"), ("netplay_nat_traversal", "false"),
            ("netplay_public_announce", "false"), ("netplay_use_mitm_server", "false"),
            ("netplay_password", password?.text ?? ""), ("libretro_directory", core.folder),
            ("libretro_info_path", path + "/info"), ("system_directory", path), ("cache_directory", path + "/cache"),
            ("savefile_directory", path + "/saves"), ("savestate_directory", path + "/states"),
        ]
        return settings.map { "\($0) = \"\($1)\"\n" }.joined()
    }
}
