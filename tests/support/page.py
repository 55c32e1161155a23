"""What tests of web/ do with its page in a browser."""

import json


def upload(browser, path, seconds=60):
    browser.upload("#file", path)
    browser.wait(
        f"document.querySelector('#status').textContent.startsWith({json.dumps(path.name + ': ')})", seconds
    )


def at_stage(browser, number):
    browser.run(f"stage.value = {number}; stage.dispatchEvent(new Event('input'))")
    return browser.run("document.querySelector('#story').textContent")


def poses(browser):
    return browser.run("deeppose.people.map(({stages}) => stages.map(({pose}) => pose))")


def people(browser):
    """All that the page knows of people but their maps, which are many numbers."""
    return browser.run(
        "deeppose.people.map((one) =>({...one, stages: one.stages.map((stage) => ({...stage, maps: null}))}))"
    )


def on_screen(browser, place):
    """Where a place of the photo is in the window."""
    x, y = place
    return browser.run(
        "(() => { const a = picture.getBoundingClientRect(), { width, height } = deeppose.photo;"
        f"return [a.left + ({x} + 0.5) * a.width / width, a.top + ({y} + 0.5) * a.height / height] }})()"
    )
