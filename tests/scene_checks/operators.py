"""The operators on photos: `python operators.py ZIP FOLDER WORKER` with the fake worker's command as JSON.

Runs in any Blender, in the installed extension; prints one JSON object, last.
"""

import json
import os
import sys
import time
from pathlib import Path

archive, folder, worker = sys.argv[1:]
os.environ["BLENDER_USER_RESOURCES"] = folder
import bpy  # noqa: E402, I001 (it makes addon_utils importable)
import addon_utils  # noqa: E402
import numpy as np  # noqa: E402

MODULE = "bl_ext.user_default.semblance"
PHOTOS = Path(folder, "photos 顔")


def main():
    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    use_fake_worker()
    PHOTOS.mkdir()
    for name in ("ok.jpg", "two.jpg", "fail.jpg", "truncated.jpg", "slow.jpg", "ok 2.jpg"):
        (PHOTOS / name).write_bytes(b"photo")
    facts = {}
    for check in CHECKS:
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        bpy.ops.ed.undo_push(message="start")
        facts[check.__name__] = check()
    addon_utils.disable(MODULE, default_set=True)
    print(json.dumps(facts))


def addon(name):
    return sys.modules[f"{MODULE}.addon.{name}"]


def use_fake_worker():
    addon("queue.timer").chosen_backend = lambda: ("python", "auto")
    addon("queue.timer").worker_command = lambda python, device: json.loads(worker)


def semblance():
    return bpy.ops.semblance


def said(action, **values):
    """The error that an operator raised."""
    try:
        action(**values)
    except RuntimeError as error:
        return str(error).strip()
    return "nothing"


def scene_state():
    scene = bpy.context.scene
    return [
        [o.name for o in scene.objects],
        scene.camera.name,
        scene.world.name,
        [scene.render.resolution_x, scene.render.resolution_y, scene.render.engine],
        [scene.view_settings.view_transform, scene.view_settings.look],
        [scene.cursor.location[:], scene.frame_current],
    ]


def counts():
    return {
        name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "images", "cameras", "worlds")
    }


def a_photo_becomes_a_face():
    before = scene_state()
    result = semblance().reconstruct(filepath=str(PHOTOS / "ok.jpg"))
    after = scene_state()
    new = set(after[0]) - set(before[0])
    face = bpy.context.active_object
    return {
        "result": sorted(result),
        "scene stays": before[1:] == after[1:] and set(before[0]) < set(after[0]),
        "new": sorted(new),
        "active": face.name,
        "selected": [o.name for o in bpy.context.selected_objects],
        "at the origin": face.location.length == 0 and face.users_collection[0].name == "ok",
    }


def it_is_what_the_plain_api_builds():
    build = addon("scene.build")
    semblance().reconstruct(filepath=str(PHOTOS / "ok.jpg"), texture="VERTEX")
    by_operator = described(bpy.context.active_object)
    saved = Path(folder, "head.npz")
    result = sys.modules[f"{MODULE}.core_models.reconstruction"].Reconstruction.load(saved)
    options = build.SceneOptions(vertex_colours=True)
    plain = build.build_face(result, "ok", bpy.context.scene.collection, options).face
    semblance().import_result(filepath=str(saved), name="ok", texture="VERTEX")
    imported = described(bpy.context.active_object)
    return [by_operator == described(plain), by_operator == imported, len(by_operator["images"])]


def described(face):
    mesh, tree = face.data, face.active_material.node_tree
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    nodes = [node for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage"]
    inner = [node.node_tree for node in tree.nodes if node.bl_idname == "ShaderNodeGroup"]
    nodes += [node for group in inner for node in group.nodes if node.bl_idname == "ShaderNodeTexImage"]
    values = [
        list(socket.default_value) if hasattr(socket.default_value, "__len__") else socket.default_value
        for node in tree.nodes
        for socket in node.inputs
        if hasattr(socket, "default_value") and not isinstance(socket.default_value, str)
    ]
    return {
        "points": points.tolist(),
        "keys": [[key.name, key.value] for key in mesh.shape_keys.key_blocks],
        "images": [[sum(node.image.pixels), node.image.size[:]] for node in nodes],
        "values": values,
        "camera": [list(row) for row in face["semblance_camera"].matrix_world],
        "report": face["semblance_report"],
    }


def one_undo_takes_it_back():
    before = counts()
    semblance().reconstruct(filepath=str(PHOTOS / "ok.jpg"))
    between = counts()
    bpy.ops.ed.undo()
    after = counts()
    bpy.ops.ed.redo()
    redone = counts()
    saved = str(Path(folder, "head.npz"))
    bpy.ops.ed.undo()
    semblance().import_result("EXEC_DEFAULT", True, filepath=saved)
    bpy.ops.ed.undo()
    return [before != between, before == after, between == redone, counts() == before]


def a_second_one_gets_a_suffix():
    for _ in range(2):
        semblance().reconstruct(filepath=str(PHOTOS / "ok.jpg"))
    return bpy.context.active_object.name


def failures_leave_the_scene_alone():
    before, datablocks = scene_state(), counts()
    messages = [
        said(semblance().reconstruct, filepath=str(PHOTOS / name)) for name in ("fail.jpg", "truncated.jpg")
    ]
    damaged = PHOTOS / "damaged.npz"
    damaged.write_bytes(Path(folder, "head.npz").read_bytes()[:3000])
    messages.append(said(semblance().import_result, filepath=str(damaged)))
    messages.append(said(semblance().reconstruct))
    unchanged = scene_state() == before and counts() == datablocks
    semblance().reconstruct(filepath=str(PHOTOS / "ok.jpg"))
    return {"messages": messages, "unchanged": unchanged, "next": bpy.context.active_object.name}


def without_a_backend():
    process = addon("backend.process")

    def missing():
        raise process.BackendMissingError("No Python.", "Make one.")

    addon("queue.timer").session().command = missing
    message = said(semblance().reconstruct, filepath=str(PHOTOS / "ok.jpg"))
    addon("queue.timer").stop()
    return message


def the_list_is_worked_off():
    settings = bpy.context.scene.semblance
    files = [{"name": name} for name in ("ok.jpg", "two.jpg", "ok.jpg")]
    semblance().add_photos(directory=str(PHOTOS), files=files)
    names = [Path(photo.filepath).name for photo in settings.photos]
    settings.active_photo = 1
    semblance().find_faces()
    found = addon("queue.timer").session().found[str(PHOTOS / "two.jpg")]
    settings.photos[1].chosen[0] = settings.photos[1].chosen[1] = True
    semblance().reconstruct()
    made = [o.name for o in bpy.data.objects if "semblance_model" in o]
    states = [str(addon("queue.timer").session().state_of(photo.filepath)) for photo in settings.photos]
    semblance().add_photos(filepath=str(PHOTOS / "ok 2.jpg"))
    semblance().reconstruct()
    again = [o.name for o in bpy.data.objects if "semblance_model" in o]
    semblance().remove_photo(index=0)
    left = [Path(photo.filepath).name for photo in settings.photos]
    semblance().remove_photo()
    return {
        "listed": names,
        "found": [face.place for face in found],
        "made": sorted(made),
        "states": states,
        "only the new one": sorted(set(again) - set(made)),
        "left": left,
        "cleared": len(settings.photos),
    }


def photos_of_one_person_make_one_face():
    settings = bpy.context.scene.semblance
    settings.same_person, settings.size, settings.quality = True, "512", "DRAFT"
    semblance().add_photos(directory=str(PHOTOS), files=[{"name": "ok.jpg"}, {"name": "ok 2.jpg"}])
    tasks = addon("queue.face_tasks")
    wishes = tasks.Wishes("UV", tasks.chosen_options(settings.size, settings.quality), settings.same_person)
    (task,) = tasks.face_tasks(list(settings.photos), wishes)
    options = task.request.options
    semblance().reconstruct()
    return {
        "first": task.request.photo.name,
        "more": [Path(path).name for path in options.more_photos],
        "how": [options.size, options.quality],
        "made": [o.name for o in bpy.data.objects if "semblance_model" in o],
    }


def images_of_the_file_are_photos():
    settings, photos = bpy.context.scene.semblance, addon("queue.photo_files")
    painted = bpy.data.images.new("ok painted", 8, 8)
    painted.pixels = [0.5] * 256
    packed = bpy.data.images.load(str(picture("ok packed.png")))
    packed.pack()
    (PHOTOS / "ok packed.png").unlink()
    on_disk = bpy.data.images.load(str(picture("ok disk.png")))
    for image in (painted, packed, on_disk):
        semblance().use_image(image=image.name)
    camera = bpy.context.scene.camera
    without = semblance().use_camera_background.poll()
    camera.data.background_images.new().image = on_disk
    semblance().use_camera_background()
    files = [photos.file_of(photo) for photo in settings.photos]
    again = bpy.data.images.load(str(files[0]))
    empty = bpy.data.images.new("empty", 4, 4)
    empty.source, empty.filepath = "FILE", str(PHOTOS / "nowhere.png")
    semblance().use_image(image="empty")
    unreadable = said(semblance().reconstruct)
    semblance().remove_photo(index=3)
    semblance().reconstruct()
    return {
        "unreadable": unreadable,
        "none": said(semblance().use_image, image="nothing"),
        "painted": [
            abs(again.pixels[0] - 0.5) < 0.01,
            painted.filepath,
            painted.source,
        ],
        "camera": [without, semblance().use_camera_background.poll()],
        "files": [path.is_file() for path in files],
        "as packed": files[1].read_bytes() == files[2].read_bytes(),
        "itself": files[2].name,
        "made": sorted(o.name for o in bpy.data.objects if "semblance_model" in o),
    }


def picture(name):
    image = bpy.data.images.new("temporary", 16, 16)
    image.pixels = [0.25] * 1024
    image.filepath_raw, image.file_format = str(PHOTOS / name), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return PHOTOS / name


def several_results_are_one_import():
    for name in ("a.npz", "b.npz"):
        (PHOTOS / name).write_bytes(Path(folder, "head.npz").read_bytes())
    before = counts()
    files = [{"name": "a.npz"}, {"name": "b.npz"}]
    semblance().import_result("EXEC_DEFAULT", True, directory=str(PHOTOS), files=files)
    made = sorted(o.name for o in bpy.data.objects if "semblance_model" in o)
    bpy.ops.ed.undo()
    return [made, counts() == before]


def only_in_object_mode():
    bpy.ops.object.mode_set(mode="EDIT")
    free = addon("queue.timer").scene_is_free()
    polls = [semblance().reconstruct.poll(), semblance().import_result.poll()]
    bpy.ops.object.mode_set(mode="OBJECT")
    return [free, polls, addon("queue.timer").scene_is_free(), semblance().reconstruct.poll()]


def settings_and_faces_survive_saving():
    settings = bpy.context.scene.semblance
    settings.texture, settings.size = "VERTEX", "2048"
    semblance().add_photos(filepath=str(PHOTOS / "ok.jpg"))
    settings.photos[0].chosen[3] = True
    semblance().reconstruct()
    target = str(PHOTOS / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=target)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=target)
    settings = bpy.context.scene.semblance
    return [
        settings.texture,
        settings.size,
        Path(settings.photos[0].filepath).name,
        list(settings.photos[0].chosen).index(True),
        bpy.context.active_object.name,
        "semblance_report" in bpy.context.active_object,
    ]


def another_file_ends_the_work():
    begin()
    pid = worker_pid()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    return [*leftovers(), is_running(pid)]


def disabling_ends_the_work():
    left = []
    for _ in range(2):
        begin()
        pid, tick = worker_pid(), addon("queue.timer").tick
        addon_utils.disable(MODULE, default_set=True)
        left += [
            bpy.app.timers.is_registered(tick),
            is_running(pid),
            hasattr(bpy.types.Scene, "semblance"),
            hasattr(bpy.types, "SEMBLANCE_PT_photo"),
            any(MODULE in handler.__module__ for handler in bpy.app.handlers.load_pre),
            any(MODULE in draw.__module__ for draw in bpy.types.TOPBAR_MT_file_import.draw._draw_funcs),
        ]
        addon_utils.enable(MODULE, default_set=True)
        use_fake_worker()
    semblance().reconstruct(filepath=str(PHOTOS / "ok.jpg"))
    return [any(left), bpy.context.active_object.name]


def undo_during_the_work_harms_nothing():
    begin()
    bpy.ops.ed.undo_push(message="something")
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    addon("queue.timer").tick()
    busy = addon("queue.timer").session().busy
    semblance().cancel()
    until(lambda: addon("queue.timer").tick() is None)
    failure = addon("queue.timer").session().failure
    addon("queue.timer").session().close()
    return [busy, failure is None, semblance().cancel.poll()]


def a_face_arrives_by_the_timer():
    addon("queue.timer").session()
    timer, tasks = addon("queue.timer"), addon("queue.face_tasks")
    wishes = tasks.Wishes("UV", tasks.chosen_options("512", "DRAFT"))
    timer.start([tasks.file_task(PHOTOS / "ok.jpg", wishes, None)])
    bpy.ops.object.mode_set(mode="EDIT")
    until(lambda: timer.tick() and addon("queue.timer").session().ended)
    timer.tick()
    waits = "ok" not in bpy.data.objects
    bpy.ops.object.mode_set(mode="OBJECT")
    timer.tick()
    return [waits, bpy.context.active_object.name, timer.tick() is None]


def the_report_tells_the_failure():
    said(semblance().reconstruct, filepath=str(PHOTOS / "fail.jpg"))
    texts, operators = [], addon("operators.backend")
    original = operators.report_text
    operators.report_text = lambda *arguments: texts.append(original(*arguments)) or texts[-1]
    semblance().copy_report()
    operators.report_text = original
    return ["There is no face in the photo" in texts[0], "hello, log" in texts[0], "fail.jpg" in texts[0]]


def begin():
    timer, tasks = addon("queue.timer"), addon("queue.face_tasks")
    timer.start(
        [tasks.file_task(PHOTOS / "slow.jpg", tasks.Wishes("UV", tasks.chosen_options("512", "DRAFT")), None)]
    )
    session = addon("queue.timer").session()
    until(lambda: session.poll() or session.stage == "Making the textures")


def worker_pid():
    """Of the process whose command line names the folder of the session's log; Linux only."""
    told = os.fsencode(addon("queue.timer").session().log.parent)
    lines = {path.parent.name: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    return next(int(pid) for pid, line in lines.items() if told in line.split(b"\0"))


def leftovers():
    timer = addon("queue.timer")
    return [bpy.app.timers.is_registered(timer.tick), addon("queue.timer").session().busy]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


CHECKS = (
    a_photo_becomes_a_face,
    it_is_what_the_plain_api_builds,
    one_undo_takes_it_back,
    a_second_one_gets_a_suffix,
    failures_leave_the_scene_alone,
    without_a_backend,
    the_list_is_worked_off,
    photos_of_one_person_make_one_face,
    images_of_the_file_are_photos,
    several_results_are_one_import,
    only_in_object_mode,
    settings_and_faces_survive_saving,
    another_file_ends_the_work,
    undo_during_the_work_harms_nothing,
    a_face_arrives_by_the_timer,
    the_report_tells_the_failure,
    disabling_ends_the_work,
)

main()
